"""The hub's unit under a real systemd: from the first account to a clip, and fault by fault."""

from __future__ import annotations

import re
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.support.certificates import make_certificates, needs_openssl
from tests.support.clips import SentClip, make_clip, sound_of
from tests.systemd.hub import at_terminal
from tests.systemd.machine import Machine

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("systemd-hub"), needs_openssl]

T = TypeVar("T")
WATCHDOG_S = 6
MOST_EXPOSED = 1.5
PASSWORD = "a password of a test"
URL = "https://127.0.0.1:8400"
CONFIG = """
[server]
[server.tls]
cert_file = "/etc/training-hub/hub.crt"
key_file = "hub_tls_key"
"""
DROP_IN = f"[Service]\nWatchdogSec={WATCHDOG_S}\n"
START_S = 60.0
AS_SERVICE = "training-hub-as-service"


@dataclass(frozen=True)
class Hub:
    """The hub, running as a service.

    Attributes:
        machine: On which.
        key: Of the gateway `plant_1/gw_1`.
        authority: Who signed its certificate.
    """

    machine: Machine
    key: str
    authority: Path

    @property
    def pid(self) -> int:
        return int(self.machine.show("MainPID"))

    def ask(self, action: Callable[[httpx.Client], T], key: str | None = None) -> T:
        """Do something with a client, from the machine's loopback."""

        def do() -> T:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            trust = ssl.create_default_context(cafile=self.authority)
            with httpx.Client(base_url=URL, verify=trust, headers=headers, timeout=60) as client:
                return action(client)

        return self.machine.in_its_network(do)

    def ready(self) -> bool:
        try:
            return self.ask(lambda client: client.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    def send(self, clip: SentClip) -> int:
        """The status of the receipt."""
        return self.ask(clip.put, self.key).status_code

    def clips(self) -> set[str]:
        """What the first account sees, having logged in with its password."""

        def look(client: httpx.Client) -> set[str]:
            login = client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
            assert login.status_code == 200, login.text
            answer = client.get("/api/v1/clips")
            assert answer.status_code == 200, answer.text
            return {clip["id"] for clip in answer.json()["clips"]}

        return self.ask(look)


@pytest.fixture(scope="module")
def hub(hub_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """The steps of docs/hub.md, before the first start: settings, key, certificate, account, gateway."""
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    machine = hub_machine
    machine.write("/etc/training-hub/hub.toml", CONFIG)
    machine.write("/etc/training-hub/hub.crt", (certificates / "broker.crt").read_text())
    machine.write("/etc/training-hub/hub_tls.key", (certificates / "broker.key").read_text(), 0o600)
    machine.write("/etc/systemd/system/training-hub.service.d/test.conf", DROP_IN)
    machine.run("systemctl", "daemon-reload")
    questions = [("New password: ", PASSWORD), ("The same again: ", PASSWORD)]
    shown = at_terminal(machine, questions, AS_SERVICE, "users", "add", "anna", "--role", "admin")
    assert PASSWORD not in shown
    key = machine.run(AS_SERVICE, "gateways", "add", "plant_1", "gw_1").stdout.strip()
    return Hub(machine, key, certificates / "ca.crt")


@pytest.fixture(autouse=True)
def running(hub: Hub) -> Iterator[None]:
    hub.machine.write("/etc/training-hub/hub.toml", CONFIG)
    hub.machine.run("systemctl", "reset-failed", "training-hub", check=False)
    hub.machine.run("systemctl", "start", "training-hub")
    yield
    if hub.machine.show("ActiveState") != "active":
        hub.machine.run("systemctl", "stop", "training-hub", check=False)


def test_the_unit_is_understood_as_a_whole(hub: Hub) -> None:
    # systemd-analyze exits 0 on an unknown key: any word it says is a failure
    done = hub.machine.run("systemd-analyze", "verify", "/usr/lib/systemd/system/training-hub.service", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exposure(hub: Hub) -> None:
    said = hub.machine.run("systemd-analyze", "security", "--no-pager", "training-hub.service").stdout
    level = re.search(r"Overall exposure level for training-hub.service: ([\d.]+)", said)
    assert level is not None, said
    assert float(level[1]) <= MOST_EXPOSED


def test_once_started_it_answers_and_takes_a_clip(hub: Hub) -> None:
    # Type=notify: `start` has returned, so it answers now
    assert hub.ready()
    assert hub.machine.show("StatusText") == URL
    assert hub.machine.show("NRestarts") == "0"
    clip = make_clip(1)
    assert hub.send(clip) == 201
    assert clip.id in hub.clips()
    user = hub.machine.run("ps", "-o", "user=", "-p", str(hub.pid)).stdout.strip()
    assert user != "root"
    state = hub.machine.root / "var/lib/private/training-hub"
    assert (state / "hub.db").exists() and state.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_uid for file in state.rglob("*")} == {state.stat().st_uid}  # nothing is root's
    assert PASSWORD not in hub.machine.journal() and hub.key not in hub.machine.journal()


def test_sounds_are_decoded_heard_and_trained_on_inside_the_sandbox(hub: Hub) -> None:
    """Child processes with limits of their own, the model's kernels, and a job, all under the filter of the unit."""
    sound = sound_of(7, seconds=10.0)

    def upload(client: httpx.Client) -> tuple[httpx.Response, httpx.Response, dict[str, object]]:
        login = client.post("/api/v1/session", json={"name": "anna", "password": PASSWORD})
        client.headers["X-CSRF-Token"] = login.json()["csrf_token"]
        client.headers["Origin"] = URL
        heard = client.post("/api/v1/sounds/test", content=sound)
        where = {"site": "plant_1", "machine": "pump_1", "type": "pump", "label": "normal"}
        added = client.post("/api/v1/sounds", params=where, content=sound)
        asked = client.post("/api/v1/runs", json={"what": ["types"]})
        assert asked.status_code == 202, asked.text
        job: dict[str, object] = asked.json()
        until_s = time.monotonic() + START_S
        while job["state"] in ("queued", "running") and time.monotonic() < until_s:
            time.sleep(0.2)
            job = client.get(f"/api/v1/jobs/{job['id']}").json()
        return heard, added, job

    heard, added, job = hub.ask(upload)
    assert heard.status_code == 200, heard.text
    assert added.status_code == 201, added.text
    # one clip is no data set: the process says so, having begun with the bundle and the catalogue
    assert job["state"] == "failed" and "clips" in str(job["message"]), job


def test_killed_it_is_back_with_what_it_had_taken(hub: Hub) -> None:
    clip, killed = make_clip(2), hub.pid
    assert hub.send(clip) == 201
    hub.machine.signal(signal.SIGKILL, killed)
    hub.machine.wait(lambda: hub.pid not in (0, killed), 30, "a new process")
    hub.machine.wait(hub.ready, START_S, "/readyz")
    assert clip.id in hub.clips()
    assert hub.machine.show("NRestarts") == "1"
    assert hub.send(clip) == 200  # it knows it


def test_a_hang_is_restarted_by_the_watchdog(hub: Hub) -> None:
    hung, since = hub.pid, hub.machine.cursor()
    hub.machine.signal(signal.SIGSTOP, hung)
    hub.machine.wait(lambda: hub.pid not in (0, hung), WATCHDOG_S + 30, "a new process")
    assert "Watchdog timeout" in hub.machine.journal(since)
    hub.machine.wait(hub.ready, START_S, "/readyz")


def test_a_stop_ends_in_order(hub: Hub) -> None:
    since = hub.machine.cursor()
    hub.machine.run("systemctl", "stop", "training-hub")
    assert hub.machine.show("Result") == "success"
    assert hub.machine.show("ExecMainStatus") == "0"
    log = hub.machine.journal(since)
    assert "the hub has ended" in log and "Traceback" not in log
    assert hub.machine.run("pgrep", "-f", "training_hub|training-hub", check=False).stdout == ""


def test_a_bad_configuration_ends_with_78_and_is_not_tried_again(hub: Hub) -> None:
    hub.machine.run("systemctl", "stop", "training-hub")
    since = hub.machine.cursor()
    hub.machine.write("/etc/training-hub/hub.toml", CONFIG + "speling = 1\n")
    assert hub.machine.run("systemctl", "start", "training-hub", check=False).returncode != 0
    time.sleep(1.5)  # more than RestartSec
    assert hub.machine.show("ExecMainStatus") == "78"
    assert hub.machine.show("NRestarts") == "0"
    assert "hub.toml:6: server.tls.speling: unknown key" in hub.machine.journal(since)


def test_a_secret_that_is_named_and_absent_is_told(hub: Hub) -> None:
    hub.machine.run("systemctl", "stop", "training-hub")
    since = hub.machine.cursor()
    hub.machine.write("/etc/training-hub/hub.toml", '[storage]\ndatabase_password_file = "database_password"\n')
    hub.machine.run("systemctl", "start", "training-hub", check=False)
    hub.machine.run("systemctl", "stop", "training-hub")
    assert "database_password must hold one line of text" in hub.machine.journal(since)
