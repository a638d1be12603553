"""The hub on a throw-away computer: installed without an index, its first account made at a terminal."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from tests.systemd.machine import Machine, MachineError

REPOSITORY = Path(__file__).parents[2]
PREFIX = "/opt/training-hub"
UNITS = ("training-hub.service", "training-hub-worker.service")
_BIN = ("/usr/bin", "/usr/local/bin")
_PACKAGES = "/opt/training-hub-packages"
_LAUNCHER = f"#!{PREFIX}/bin/python3\nimport sys\nfrom training_hub.cli import main\nsys.exit(main())\n"


def install_hub(machine: Machine) -> None:
    """What `pip install` would lay into /opt/training-hub, by showing the packages of this Python in the machine.

    They are shown elsewhere than here, for the service sees neither /home nor /root.

    Raises:
        MachineError: The system has no Python of the version that the packages are for.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = next((path for name in _BIN if (path := Path(name) / version).exists()), None)
    if python is None:
        raise MachineError(f"no {version} in {' or '.join(_BIN)}, where a service may see it")
    standard = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    standard.add(str(Path(sysconfig.get_path("platstdlib")) / "lib-dynload"))
    places = [REPOSITORY, *(Path(entry) for entry in sys.path if Path(entry).is_dir() and entry not in standard)]
    shown = []
    for number, place in enumerate(dict.fromkeys(place.resolve() for place in places)):
        machine.share(place, f"{_PACKAGES}/{number}")
        shown.append(f"{_PACKAGES}/{number}\n")
    machine.write(f"{PREFIX}/lib/{version}/site-packages/all.pth", "".join(shown))
    machine.write(f"{PREFIX}/pyvenv.cfg", f"home = {python.parent}\ninclude-system-site-packages = false\n")
    (machine.root / PREFIX[1:] / "bin").mkdir()
    (machine.root / PREFIX[1:] / "bin/python3").symlink_to(python)
    machine.write(f"{PREFIX}/bin/training-hub", _LAUNCHER, 0o755)
    for unit in UNITS:
        shutil.copy(REPOSITORY / "deploy/systemd" / unit, machine.root / "usr/lib/systemd/system")
    shutil.copy(REPOSITORY / "deploy/systemd/training-hub-as-service", machine.root / "usr/bin")
    machine.write("/etc/training-hub/hub.toml", "", 0o644)


def at_terminal(machine: Machine, answers: list[tuple[str, str]], *command: str, timeout_s: float = 60.0) -> str:
    """Run a command as a person does: each answer is typed once its question shows. What was shown.

    Raises:
        AssertionError: A question did not come, or the command failed.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(machine.enter(*command), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said, seen, until_s = b"", 0, time.monotonic() + timeout_s
    waiting = list(answers)
    try:
        while time.monotonic() < until_s:
            if waiting and waiting[0][0].encode() in said[seen:]:
                seen = len(said)
                os.write(ours, waiting.pop(0)[1].encode() + b"\n")
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 4096)
                except OSError:  # EIO: whoever was at the other end has gone
                    break
            elif process.poll() is not None:
                break
        status = process.wait(max(1.0, until_s - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert status == 0 and not waiting, f"{command} ended with {status}, unanswered {waiting}: {said.decode()}"
    return said.decode()
