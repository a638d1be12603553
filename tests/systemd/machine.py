"""A throw-away computer: this one's files below an overlay, booted by a real systemd in systemd-nspawn."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_BOOT_S = 60.0
_NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET
_FETCH = (
    "import sys, urllib.request, urllib.error\n"
    "try: answer = urllib.request.urlopen(sys.argv[1], timeout=5)\n"
    "except urllib.error.HTTPError as error: answer = error\n"
    "print(answer.status); print(answer.read().decode())"
)


class MachineError(Exception):
    """The computer cannot be made here."""


def why_not() -> str | None:
    """Why no such computer can be made here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("systemd-nspawn", "nsenter", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"{program} is not installed (systemd-container, util-linux, dpkg)"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    return None


class Machine:
    """One computer. Everything it writes is gone when it stops.

    Args:
        directory: Where it is laid.
        unit: The service that it is about.
        url: Where that answers, inside.
    """

    def __init__(self, directory: Path, unit: str = "edge-agent", url: str = "http://127.0.0.1:9105") -> None:
        self._directory = directory
        self._unit = unit
        self._url = url
        self._shown: list[str] = []
        self.root = directory / "root"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._mounted: list[Path] = []

    def make(self) -> None:
        """Lay the overlay; nothing runs yet.

        Raises:
            MachineError: The kernel does not allow it here.
        """
        self._mount(self._directory, "-t", "tmpfs", "-o", "size=3g", "tmpfs")
        for name in ("upper", "work", "root"):
            (self._directory / name).mkdir()
        layers = f"lowerdir=/,upperdir={self._directory / 'upper'},workdir={self._directory / 'work'}"
        self._mount(self.root, "-t", "overlay", "-o", layers, "overlay")
        for pattern in ("timers.target.wants/*", "multi-user.target.wants/*.service", "getty.target.wants/*",
                        "sysinit.target.wants/systemd-timesyncd.service"):  # fmt: skip
            for path in (self.root / "etc/systemd/system").glob(pattern):
                path.unlink()
        (self.root / "etc/machine-id").write_text("")

    def install(self, package: Path) -> None:
        """Install a Debian package, with no network and no service manager running."""
        shutil.copy(package, self.root / "tmp" / package.name)
        install = ["dpkg", "--force-unsafe-io", "--install", f"/tmp/{package.name}"]
        offline = ["unshare", "--net", "chroot", str(self.root), *install]
        done = subprocess.run(offline, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def share(self, path: Path, inside: str) -> None:
        """Show a directory of this computer in it, read only, once it boots."""
        self._shown.append(f"--bind-ro={path}:{inside}")

    def boot(self) -> None:
        """Start systemd, without a network but the loopback."""
        log = (self._directory / "console.log").open("wb")
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
             f"--machine={self._unit}-test",
             f"--directory={self.root}", *self._shown, "--boot", "systemd.unit=multi-user.target"],
            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        until_s = time.monotonic() + _BOOT_S
        while time.monotonic() < until_s:
            if self._nspawn.poll() is not None:
                break
            self._init = self._init or self._find_init()
            if self._init:
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            time.sleep(0.1)
        console = (self._directory / "console.log").read_text(errors="replace")[-2000:]
        raise MachineError(f"no systemd came up in systemd-nspawn; its console: {console}")

    def stop(self) -> None:
        """Switch it off and forget it."""
        if self._nspawn is not None:
            if self._init:
                with contextlib.suppress(ProcessLookupError):  # it went down by itself, or never came up
                    os.kill(self._init, signal.SIGRTMIN + 4)
            try:
                self._nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        for path in reversed(self._mounted):
            subprocess.run(["umount", "--lazy", str(path)], check=False)

    def enter(self, *command: str) -> list[str]:
        """A command as it is given here, so that it runs in it."""
        return ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "--", *command]

    def in_its_network(self, action: Callable[[], T]) -> T:
        """Do something here whose sockets are the machine's: to it, 127.0.0.1 is the machine."""

        def do() -> T:
            with open(f"/proc/{self._init}/ns/net") as network:
                if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _NEW_NETWORK) != 0:
                    raise MachineError(f"its network cannot be entered: {os.strerror(ctypes.get_errno())}")
            return action()

        with ThreadPoolExecutor(1) as own_thread:  # a namespace is a thread's
            return own_thread.submit(do).result()

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        done = subprocess.run(self.enter(*command), capture_output=True, text=True, check=False, timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self._last_words(command)}"
        return done

    def start(self) -> None:
        """Have the service started: at the first go, or by the restarts of its own unit, as in a plant.

        Whoever calls waits until it is ready. A first go that fails is told as a warning, with what was said.
        """
        command = ("systemctl", "start", self._unit)
        done = self.run(*command, check=False)
        if done.returncode != 0:
            warnings.warn(f"{command}: {done.stderr}{self._last_words(command)}", stacklevel=2)

    def _last_words(self, command: tuple[str, ...]) -> str:
        """What the service said last, where it is the service manager that refused."""
        if command[0] != "systemctl":
            return ""
        log = self.enter("journalctl", "--no-pager", "--lines=40", "--output=cat", "--unit", self._unit)
        return subprocess.run(log, capture_output=True, text=True, check=False, timeout=60).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file into it."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def show(self, name: str, unit: str = "") -> str:
        """A property of the service, or of another unit."""
        return self.run("systemctl", "show", unit or f"{self._unit}.service", "--value", "-p", name).stdout.strip()

    def journal(self, since: str = "", unit: str = "") -> str:
        """The service's log, or another unit's, after a cursor."""
        after = ["--after-cursor", since] if since else []
        return self.run("journalctl", "-u", unit or self._unit, "-o", "cat", "--no-pager", *after, check=False).stdout

    def cursor(self) -> str:
        """Where the log ends now."""
        said = self.run("journalctl", "-n", "1", "-o", "json", "--no-pager").stdout
        return str(json.loads(said.splitlines()[-1])["__CURSOR"])

    def fetch(self, path: str) -> tuple[int, str]:
        """Status and body of one of the service's endpoints; 0 while nobody answers."""
        url = urllib.parse.urljoin(self._url, path)
        done = self.run("/usr/bin/python3", "-c", _FETCH, url, check=False)
        if done.returncode != 0:
            return 0, done.stderr
        status, _, body = done.stdout.partition("\n")
        return int(status), body

    def signal(self, number: int, pid: int) -> None:
        """Send a signal to one process of it."""
        self.run("kill", f"-{number}", str(pid))

    def wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> float:
        """Wait for something in it; seconds that it took. Fails with the service's log."""
        started_s = time.monotonic()
        while not condition():
            took_s = time.monotonic() - started_s
            assert took_s < timeout_s, f"{what} did not come true within {timeout_s:g} s\n{self.journal()[-3000:]}"
            time.sleep(0.05)
        return time.monotonic() - started_s

    def _find_init(self) -> int:
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _mount(self, target: Path, *words: str) -> None:
        done = subprocess.run(["mount", *words, str(target)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MachineError(f"mount {' '.join(words)}: {done.stderr.strip()}")
        self._mounted.append(target)
