"""The shipped unit and package under a real systemd, fault by fault."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.delivery.payload_codec import unpack
from tests.systemd.machine import Machine

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("systemd")]

WINDOW_S = 3.0
WATCHDOG_S = 4
CONFIG = f"""
[window]
window_s = {WINDOW_S}
hop_s = {WINDOW_S}
[mqtt]
port = 1
username = "gateway"
password_file = "mqtt_password"
[[machine]]
id = "fan_1"
[[machine]]
id = "fan_2"
[[source]]
id = "mic_1"
kind = "simulated"
[[source.channel]]
machine = "fan_1"
[[source]]
id = "mic_2"
kind = "simulated"
seed = 2
[[source.channel]]
machine = "fan_2"
"""
REPOSITORY = Path(__file__).parents[2]
DROP_IN = "/etc/systemd/system/edge-agent.service.d/test.conf"
STATE = "var/lib/private/edge-agent"


@dataclass(frozen=True)
class Service:
    """The service, running on the machine."""

    machine: Machine

    @property
    def pid(self) -> int:
        return int(self.machine.show("MainPID"))

    def ready(self) -> bool:
        return self.machine.fetch("/readyz")[0] == 200

    def configure(self, text: str) -> None:
        self.machine.write("/etc/edge-agent/agent.toml", text)

    def reload(self, *, expect: str) -> str:
        """Ask for a reload; the log since then, once it tells of it."""
        since = self.machine.cursor()
        self.machine.run("systemctl", "reload", "edge-agent")
        self.machine.wait(lambda: expect in self.machine.journal(since), 10, f"{expect!r} in the log")
        return self.machine.journal(since)

    def events(self, tmp_path: Path) -> list[dict[str, object]]:
        """What waits in the outbox, read from a copy so that the agent is not disturbed."""
        for name in ("outbox.db", "outbox.db-wal"):
            source = self.machine.root / STATE / name
            if source.exists():
                shutil.copy(source, tmp_path / name)
        with sqlite3.connect(tmp_path / "outbox.db") as db:
            rows = db.execute("SELECT payload FROM outbox WHERE topic LIKE '%/machine/fan_1/result' ORDER BY seq")
            events = [json.loads(unpack(payload)) for (payload,) in rows]
        for path in tmp_path.glob("outbox.db*"):
            path.unlink()
        return events

    def samples(self, name: str) -> dict[str, float]:
        """A counter of the ledger by source, summed over its reasons."""
        status, text = self.machine.fetch("/metrics")
        assert status == 200
        found: dict[str, float] = {}
        for line in re.finditer(rf'^edge_agent_samples_{name}(?:_total)?{{.*?source="(\w+)".*?}} (\S+)$', text, re.M):
            found[line[1]] = found.get(line[1], 0.0) + float(line[2])
        return found


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    machine.write(DROP_IN, f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
    machine.write("/etc/edge-agent/mqtt_password", "from-a-credential\n", 0o600)
    service = Service(machine)
    service.configure(CONFIG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", "edge-agent", check=False)
    machine.start()
    machine.wait(service.ready, 10, "/readyz")
    yield service
    machine.run("systemctl", "stop", "edge-agent", check=False)


def test_the_unit_is_understood_as_a_whole(machine: Machine) -> None:
    # systemd-analyze exits 0 on an unknown key: any word it says is a failure
    done = machine.run("systemd-analyze", "verify", "/usr/lib/systemd/system/edge-agent.service", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exposure_is_1_5_or_better(machine: Machine) -> None:
    said = machine.run("systemd-analyze", "security", "--threshold=15", "--no-pager", "edge-agent.service").stdout
    level = re.search(r"Overall exposure level for edge-agent.service: ([\d.]+)", said)
    assert level is not None, said
    assert float(level[1]) <= 1.5


def test_the_package_starts_nothing_by_itself_and_then_is_ready_in_3_s(machine: Machine) -> None:
    assert machine.show("ActiveState") == "inactive"
    assert machine.run("systemctl", "is-enabled", "edge-agent", check=False).stdout.strip() == "disabled"
    started_s = time.monotonic()
    machine.run("systemctl", "start", "edge-agent")  # returns at READY=1
    took_s = time.monotonic() - started_s
    assert took_s < 3.0
    # the configuration as shipped: a simulated fan, no hardware, no network
    machine.wait(lambda: machine.fetch("/readyz")[0] == 200, 5, "/readyz")
    assert machine.run("edge-agent", "--version").stdout.startswith("edge-agent ")
    assert "EDGE-AGENT(1)" in (page := machine.run("man", "-E", "ascii", "edge-agent").stdout)
    assert "doctor" in page and "warning" not in machine.run("man", "--warnings", "edge-agent").stderr
    machine.run("systemctl", "stop", "edge-agent")
    assert machine.show("Result") == "success"
    assert "stopped" in machine.journal()


def test_the_sandbox(machine: Machine, service: Service) -> None:
    machine.write("/opt/probe/probe.py", (Path(__file__).parent / "probe.py").read_text())
    machine.write("/var/audio-probe", "opened", 0o660)
    machine.run("chgrp", "audio", "/var/audio-probe")
    machine.write(DROP_IN, "[Service]\nExecStartPre=/opt/edge-agent/bin/python3 /opt/probe/probe.py\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "edge-agent")
    said = json.loads(re.findall(r"^PROBE (.*)$", machine.journal(), re.M)[-1])
    assert said.pop("uid") not in (0, 65534)
    assert said == {
        "written": [],
        "state": "done",
        "secret": "from-a-credential",
        "the secret's own file": "PermissionError",
        "a device of the group audio": "done",
        "shared memory": "done",
        "memfd": "done",
        "child": "done",
        "writable code": "PermissionError",
        "mount": "PermissionError",
        "packet socket": "OSError",
        "netlink socket": "OSError",
        "set clock": "PermissionError",
        "chroot": "PermissionError",
        "signal init": "PermissionError",
    }


FAKE_MICROPHONE = """
[Service]
ExecStart=/usr/bin/pulseaudio -n -F /etc/fake-microphone.pa --exit-idle-time=-1 --daemonize=no --use-pid-file=no \\
  --realtime=no --high-priority=no
Environment=HOME=/run/fake XDG_RUNTIME_DIR=/run/fake
RuntimeDirectory=fake
UMask=0000
"""


@pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="pulseaudio is not installed")
def test_a_microphone_is_captured_inside_the_sandbox(machine: Machine, service: Service) -> None:
    """PortAudio in its child process, shared memory and the model, all under the seccomp filter of the unit."""
    machine.write(
        "/etc/fake-microphone.pa",
        "load-module module-native-protocol-unix auth-anonymous=1 socket=/run/fake/s\n"
        "load-module module-null-sink sink_name=mic rate=16000 channels=1 format=s16le\n"
        "load-module module-sine sink=mic frequency=440\n",
    )
    machine.write("/etc/systemd/system/fake-microphone.service", FAKE_MICROPHONE)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "fake-microphone")
    machine.wait(lambda: _has_socket(machine), 5, "PulseAudio")
    config = CONFIG.split('[[source]]\nid = "mic_2"', maxsplit=1)[0].replace(
        'kind = "simulated"', 'kind = "microphone"\ndevice = "pulse:mic.monitor@unix:/run/fake/s"'
    )
    service.configure(config)
    machine.run("systemctl", "restart", "edge-agent")
    machine.wait(lambda: service.samples("captured").get("mic_1", 0) > 4 * 16_000, 20, "4 s of sound")
    assert service.samples("lost")["mic_1"] == 0
    assert "source mic_1 is up" in machine.journal()
    children = machine.run("pgrep", "-P", str(service.pid), check=False).stdout.split()
    assert len(children) == 1  # the device's reader
    machine.run("systemctl", "stop", "edge-agent")
    assert machine.show("Result") == "success"
    assert machine.run("pgrep", "-f", "edge_agent", check=False).stdout == ""  # and it left nobody behind
    machine.run("systemctl", "stop", "fake-microphone")


def _has_socket(machine: Machine) -> bool:
    return machine.run("test", "-S", "/run/fake/s", check=False).returncode == 0


def test_a_hang_is_restarted_within_the_watchdog_and_2_s(machine: Machine, service: Service) -> None:
    hung = service.pid
    since = machine.cursor()
    machine.signal(signal.SIGSTOP, hung)
    took_s = machine.wait(lambda: service.pid not in (0, hung), WATCHDOG_S + 10, "a new process")
    assert took_s <= WATCHDOG_S + 2
    machine.wait(service.ready, 10, "/readyz")
    log = machine.journal(since)
    assert "Watchdog timeout" in log
    assert "Fatal Python error: Aborted" in log  # where it hung, for whoever looks later
    assert machine.show("NRestarts") == "1"


def test_a_hang_of_the_scorer_alone_is_restarted_too(machine: Machine, service: Service) -> None:
    """Its thread waits for ever in the opening of a pipe, while the others, HTTP among them, go on."""
    hung, config = service.pid, "/etc/edge-agent/agent.toml"
    machine.run("rm", config)
    machine.run("mkfifo", config)
    machine.signal(signal.SIGHUP, hung)
    time.sleep(1)
    assert machine.fetch("/metrics")[0] == 200
    machine.run("rm", config)  # who has begun to open it goes on waiting
    service.configure(CONFIG)
    took_s = 1 + machine.wait(lambda: service.pid not in (0, hung), WATCHDOG_S + 10, "a new process")
    assert took_s <= WATCHDOG_S + 2
    machine.wait(service.ready, 10, "/readyz")


def test_kill_in_the_middle_of_a_window_costs_that_window_only(
    machine: Machine, service: Service, tmp_path: Path
) -> None:
    def ends() -> list[float]:
        return [_seconds(event["data"]["window_start"]) + WINDOW_S for event in service.events(tmp_path)]  # type: ignore[index]

    machine.wait(lambda: len(ends()) >= 1, 15, "a first result")
    windows = len(ends())
    machine.wait(lambda: len(ends()) > windows, 10, "the next result")
    time.sleep(WINDOW_S / 2)
    before, killed_s = ends(), time.time()
    machine.signal(signal.SIGKILL, service.pid)
    machine.wait(service.ready, 10, "/readyz")
    back_s = time.time()
    machine.wait(lambda: len(ends()) > len(before), 15, "a result after the kill")
    after = ends()
    assert after[: len(before)] == before  # what was accepted is there, in order
    assert killed_s - before[-1] < WINDOW_S + 0.5  # every window that had ended was kept
    assert after[len(before)] - WINDOW_S <= back_s + 0.5  # and the next began as soon as the agent was back
    assert back_s - killed_s < 5
    times = [event["id"] for event in service.events(tmp_path)]
    assert len(times) == len(set(times))


def test_a_bad_configuration_ends_with_78_and_is_not_tried_again(machine: Machine, service: Service) -> None:
    machine.run("systemctl", "stop", "edge-agent")
    since = machine.cursor()
    service.configure(CONFIG.replace("port = 1\n", 'port = "many"\nspeling = 1\n'))
    assert machine.run("systemctl", "start", "edge-agent", check=False).returncode != 0
    time.sleep(1.5)  # three times RestartSec
    assert machine.show("ExecMainStatus") == "78"
    assert machine.show("NRestarts") == "0"
    assert machine.show("ActiveState") == "failed"
    log = machine.journal(since)
    assert "/etc/edge-agent/agent.toml:6: mqtt.port: must be" in log
    assert "/etc/edge-agent/agent.toml:7: mqtt.speling: unknown key" in log


def test_a_secret_that_is_named_and_absent_is_told(machine: Machine, service: Service) -> None:
    (machine.root / "etc/edge-agent/mqtt_password").unlink()
    since = machine.cursor()
    machine.run("systemctl", "restart", "edge-agent", check=False)
    assert "mqtt_password must hold one line of text" in machine.journal(since)
    assert machine.show("ExecMainStatus") == "78"


def test_a_good_reload_touches_only_what_changed(machine: Machine, service: Service) -> None:
    pid, captured = service.pid, service.samples("captured")
    service.configure(
        CONFIG.replace("seed = 2", "seed = 3").replace("port = 1\n", "port = 2\n")
        + '[[machine]]\nid = "fan_3"\n[[source]]\nid = "mic_3"\nkind = "simulated"\n'
        + '[[source.channel]]\nmachine = "fan_3"\n[detection]\nraise_after = 4\n[log]\nlevel = "debug"\n'
        + "[http]\nport = 9106\n"
    )
    log = service.reload(expect="configuration reloaded")
    assert "took over detection, mqtt, log, machine, source; at the next restart: http.port" in log
    assert "source mic_1" not in log  # not even looked at
    assert "source mic_2 is down: ended" in log
    assert "127.0.0.1:2" in log
    machine.wait(lambda: service.samples("captured").get("mic_3", 0) > 16_000, 10, "the new source")
    assert service.pid == pid
    assert "restart to take over http.port" in machine.show("StatusText")
    assert service.samples("captured")["mic_1"] > captured["mic_1"]
    assert service.samples("lost")["mic_1"] == 0

    # the sources may go as well; the books of the others go on
    service.configure(CONFIG.split('[[source]]\nid = "mic_2"', maxsplit=1)[0])
    service.reload(expect="configuration reloaded")
    assert set(service.samples("captured")) == {"mic_1"}
    assert service.samples("lost")["mic_1"] == 0


def test_a_bad_reload_changes_nothing_and_says_so(machine: Machine, service: Service) -> None:
    pid = service.pid
    service.configure(CONFIG.replace("seed = 2", "sed = 3\nrate_hz = 1"))
    log = service.reload(expect="rate_hz")
    told = [line for line in log.splitlines() if "configuration not taken over" in line]
    assert len(told) == 2
    assert "agent.toml:21: source[1].sed: unknown key; did you mean 'seed'?" in told[0]
    assert service.pid == pid and "source mic" not in log
    time.sleep(6)  # the periodic status keeps saying it
    assert "2 of 2 sources up; configuration on disk is bad, the old one is kept" in machine.show("StatusText")
    service.configure(CONFIG)
    service.reload(expect="configuration reloaded: nothing to take over")
    assert machine.show("StatusText") == "2 of 2 sources up"


def test_a_stop_hands_over_what_was_captured(machine: Machine, service: Service, tmp_path: Path) -> None:
    machine.wait(lambda: len(service.events(tmp_path)) >= 1, 15, "a first result")
    results, since, before = len(service.events(tmp_path)), machine.cursor(), service.samples("captured")
    machine.run("systemctl", "stop", "edge-agent")
    assert machine.show("Result") == "success"
    log = machine.journal(since)
    assert "stopped" in log
    assert len(service.events(tmp_path)) >= results
    # the last word on every sample, after everything was handed over
    told = re.findall(
        r"books of (\w+) channel 0 closed: (\d+) samples captured = (\d+) scored \+ (\d+).*? skipped \+ (\d+).*? lost "
        r"\+ (\d+) pending", log,
    )  # fmt: skip
    books = {name: [int(count) for count in counts] for name, *counts in told}
    assert books.keys() == {"mic_1", "mic_2"}
    for name, (captured, scored, skipped, lost, pending) in books.items():
        assert captured == scored + skipped + lost and pending == lost == 0
        assert captured >= before[name]
    machine.start()
    machine.wait(lambda: len(service.events(tmp_path)) > results, 15, "results on top of the kept ones")


def test_doctor_as_the_service_sees_its_secrets_and_state(machine: Machine, service: Service) -> None:
    bundle = "/var/lib/edge-agent/support.tar.gz"
    said = machine.run(
        "edge-agent-as-service", "doctor", "--json", "--config", "/etc/edge-agent/agent.toml", "--bundle-file", bundle,
        check=False,
    )  # fmt: skip
    page = json.loads(said.stdout)
    found = {finding["topic"]: finding for finding in page["findings"]}
    assert said.returncode == 1 and page["state"] == "fail"
    assert [f["topic"] for f in page["findings"] if f["state"] == "fail"] == ["broker"]  # there is none, rightly
    assert found["model"]["state"] == found["disk"]["state"] == found["source mic_1"]["state"] == "ok"
    names = machine.run("tar", "tzf", bundle).stdout
    assert "health.json" in names and "metrics.txt" in names
    assert "from-a-credential" not in machine.run("tar", "xzOf", bundle).stdout
    machine.run("rm", bundle)


def test_a_checkout_installs_itself_as_a_service(machine: Machine) -> None:
    """The second way of docs/install.md; its dependencies are those of the package."""
    checkout = machine.root / "opt/checkout"
    for name in ("edge_agent", "config", "deploy", "models"):
        shutil.copytree(REPOSITORY / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    python = re.search(r"python3\.\d+", machine.run("ls", "/opt/edge-agent/lib").stdout)
    assert python is not None
    packages = f"/opt/edge-agent/lib/{python[0]}/site-packages"
    venv = checkout / ".venv"
    machine.write(f"/opt/checkout/.venv/lib/{python[0]}/site-packages/all.pth", f"/opt/checkout\n{packages}\n")
    machine.write("/opt/checkout/.venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
    (venv / "bin").mkdir()
    (venv / "bin/python3").symlink_to(f"/usr/bin/{python[0]}")
    launcher = "#!/opt/checkout/.venv/bin/python3\nimport sys\nfrom edge_agent.cli import main\nsys.exit(main())\n"
    machine.write("/opt/checkout/.venv/bin/edge-agent", launcher, 0o755)
    command = "/opt/checkout/.venv/bin/edge-agent"

    machine.write("/etc/edge-agent/agent.toml", CONFIG)
    shown = machine.run(command, "install-service", "--dry-run").stdout
    assert f"ExecStart={command} run" in shown and "(kept: it is there)" in shown
    assert not (machine.root / "etc/systemd/system/edge-agent.service").exists()
    machine.run(command, "install-service", "--enable")
    try:
        machine.wait(lambda: machine.fetch("/readyz")[0] == 200, 15, "/readyz")
        assert (machine.root / "etc/edge-agent/agent.toml").read_text() == CONFIG
        assert command in machine.run("ps", "-o", "args=", "-p", machine.show("MainPID")).stdout
    finally:
        machine.run("systemctl", "disable", "--now", "edge-agent")
        machine.run("rm", "/etc/systemd/system/edge-agent.service")
        machine.run("systemctl", "daemon-reload")
    # the package has a unit of its own, and says so
    refused = machine.run("edge-agent", "install-service", check=False)
    assert refused.returncode == 1 and "use systemctl" in refused.stderr


def test_removing_the_package_keeps_the_state_and_purging_takes_it(machine: Machine, service: Service) -> None:
    """Last: it takes the service away."""
    removed = machine.run("dpkg", "--force-unsafe-io", "--remove", "edge-agent")
    assert "error" not in removed.stderr.lower()
    assert (machine.root / STATE / "outbox.db").exists()
    assert (machine.root / "etc/edge-agent/agent.toml").exists()
    machine.run("dpkg", "--purge", "edge-agent")
    assert not (machine.root / STATE).exists()
    assert not (machine.root / "etc/edge-agent").exists()
    assert not (machine.root / "opt/edge-agent/lib").exists()


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
