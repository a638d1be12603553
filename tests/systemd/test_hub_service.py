"""The hub's unit under a real systemd: from the first account to a clip, and fault by fault."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.certificates import make_certificates, needs_openssl
from tests.support.clips import make_clip, sound_of
from tests.systemd.machine import Machine
from tests.systemd.served import CONFIG, PASSWORD, URL, Hub, job_when_ended, log_in, set_up_hub

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("systemd-hub"), needs_openssl]

WATCHDOG_S = 6
MOST_EXPOSED = 1.5
DROP_IN = f"[Service]\nWatchdogSec={WATCHDOG_S}\n"
START_S = 60.0


@pytest.fixture(scope="module")
def hub(hub_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    hub_machine.write("/etc/systemd/system/training-hub.service.d/test.conf", DROP_IN)
    return set_up_hub(hub_machine, make_certificates(tmp_path_factory.mktemp("certificates")))


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
        log_in(client)
        heard = client.post("/api/v1/sounds/test", content=sound)
        where = {"site": "plant_1", "machine": "pump_1", "type": "pump", "label": "normal"}
        added = client.post("/api/v1/sounds", params=where, content=sound)
        asked = client.post("/api/v1/runs", json={"what": ["types"]})
        assert asked.status_code == 202, asked.text
        return heard, added, job_when_ended(client, asked.json()["id"])

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
    time.sleep(2.5)  # more than RestartSec
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
