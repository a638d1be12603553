"""The worker's unit under a real systemd: jobs of a hub on PostgreSQL are done by it alone, fault by fault."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edge_agent.settings.secret import SecretFile
from tests.support.certificates import make_certificates, needs_openssl
from tests.support.clips import sound_of
from tests.systemd import postgres
from tests.systemd.machine import Machine
from tests.systemd.served import CONFIG, Hub, job_when_ended, log_in, set_up_hub
from training_hub.catalogue.tables import Job
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.config.storage import StorageSection
from training_hub.opening import open_parts
from training_hub.parts import HubParts

pytestmark = [pytest.mark.end_to_end, pytest.mark.xdist_group("systemd-hub"), needs_openssl]

WithParts = Callable[[Callable[[HubParts], Job]], Job]
UNIT = "training-hub-worker.service"
WATCHDOG_S = 6
MOST_EXPOSED = 1.5
START_S = 60.0
JOB_S = 120.0
STORAGE = f"""
[storage]
database_url = "{postgres.URL}"
database_password_file = "database_password"
[jobs]
embedded_workers = 0
silent_for_s = 4.0
beat_s = 1.0
"""


@pytest.fixture(scope="module")
def hub(hub_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub on PostgreSQL that does no job itself, and a worker beside it."""
    machine = hub_machine
    postgres.install_postgres(machine)
    machine.write("/etc/training-hub/database_password", postgres.PASSWORD + "\n", 0o600)
    machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}\nRestartSec=1\n")
    machine.run("systemctl", "daemon-reload")
    started = machine.run("systemctl", "start", "hub-database", check=False)
    assert started.returncode == 0, machine.journal(unit="hub-database")
    hub = set_up_hub(machine, make_certificates(tmp_path_factory.mktemp("certificates")), CONFIG + STORAGE)
    machine.run("systemctl", "start", "training-hub")
    return hub


@pytest.fixture(autouse=True)
def running(hub: Hub) -> Iterator[None]:
    hub.machine.run("systemctl", "start", "hub-database", UNIT)
    yield


@pytest.fixture
def with_parts(hub: Hub, tmp_path: Path) -> WithParts:
    """Do something with the machine's own database, from its loopback."""
    password = tmp_path / "password"
    password.write_text(postgres.PASSWORD)
    password.chmod(0o600)
    settings = HubSettings(
        server=ServerSection(state_dir=tmp_path / "state"),
        storage=StorageSection(database_url=postgres.URL, database_password_file=SecretFile(str(password))),
    )

    def do(action: Callable[[HubParts], Job]) -> Job:
        def inside() -> Job:
            with open_parts(settings, os.environ) as parts:
                return action(parts)

        return hub.machine.in_its_network(inside)

    return do


def features(parts: HubParts) -> Job:
    """Enqueue a job and wait for its end."""
    with parts.database.transaction() as session:
        id_ = parts.jobs.enqueue(session, "features", {}, by="user:anna")
    until_s = time.monotonic() + JOB_S
    while True:
        with parts.database.transaction(writes=False) as session:
            job = session.get_one(Job, id_)
        if job.state not in ("queued", "running"):
            return job
        assert time.monotonic() < until_s, f"{job.state}: {job.message}"
        time.sleep(0.2)


def main_pid(machine: Machine) -> int:
    return int(machine.show("MainPID", UNIT))


def wait_for_another(machine: Machine, pid: int, timeout_s: float) -> None:
    def another() -> bool:
        return main_pid(machine) not in (0, pid) and machine.show("ActiveState", UNIT) == "active"

    machine.wait(another, timeout_s, "a new worker")


def test_the_unit_is_understood_as_a_whole(hub: Hub) -> None:
    done = hub.machine.run("systemd-analyze", "verify", f"/usr/lib/systemd/system/{UNIT}", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exposure(hub: Hub) -> None:
    said = hub.machine.run("systemd-analyze", "security", "--no-pager", UNIT).stdout
    level = re.search(rf"Overall exposure level for {UNIT}: ([\d.]+)", said)
    assert level is not None, said
    assert float(level[1]) <= MOST_EXPOSED


def test_it_does_the_hubs_jobs_in_its_sandbox(hub: Hub, with_parts: WithParts) -> None:
    """One in its own process, whose sound lies in the hub's folder, and one in a process that it starts."""

    def add(client: httpx.Client) -> None:
        log_in(client)
        where = {"site": "plant_1", "machine": "pump_1", "type": "pump", "label": "normal"}
        added = client.post("/api/v1/sounds", params=where, content=sound_of(7, seconds=10.0))
        assert added.status_code == 201, added.text

    def train(client: httpx.Client) -> dict[str, object]:
        log_in(client)
        asked = client.post("/api/v1/runs", json={"what": ["types"]})
        assert asked.status_code == 202, asked.text
        return job_when_ended(client, asked.json()["id"])

    hub.ask(add)
    job = with_parts(features)
    assert (job.state, job.result) == ("done", {"kept": 0, "computed": 1, "flawed": {}}), job.message
    training = hub.ask(train)
    # one clip is no data set: the process says so, having begun with the bundle and the catalogue
    assert training["state"] == "failed" and "clips" in str(training["message"]), training
    log = hub.machine.journal(unit=UNIT)
    assert f"job {job.id} (features): done" in log and f"job {training['id']} (retrain)" in log
    assert "(features)" not in hub.machine.journal()


def test_it_is_the_hubs_user_and_sees_no_secret_but_its_own(hub: Hub) -> None:
    pids = (hub.pid, main_pid(hub.machine))
    users = {hub.machine.run("ps", "-o", "uid=", "-p", str(pid)).stdout.strip() for pid in pids}
    assert len(users) == 1 and users != {"0"}
    shown = hub.machine.run("ls", f"/run/credentials/{UNIT}").stdout.split()
    assert shown == ["database_password", "s3_access_key_id", "s3_secret_access_key"]
    assert postgres.PASSWORD not in hub.machine.journal(unit=UNIT)


def test_killed_it_is_back_and_works(hub: Hub, with_parts: WithParts) -> None:
    killed = main_pid(hub.machine)
    hub.machine.signal(signal.SIGKILL, killed)
    wait_for_another(hub.machine, killed, START_S)
    assert with_parts(features).state == "done"


def test_a_hang_is_restarted_by_the_watchdog(hub: Hub) -> None:
    hung, since = main_pid(hub.machine), hub.machine.cursor()
    hub.machine.signal(signal.SIGSTOP, hung)
    wait_for_another(hub.machine, hung, WATCHDOG_S + START_S)
    assert "Watchdog timeout" in hub.machine.journal(since, UNIT)


def test_a_restart_of_the_database_is_outlived(hub: Hub, with_parts: WithParts) -> None:
    before = main_pid(hub.machine)
    hub.machine.run("systemctl", "restart", "hub-database")
    assert with_parts(features).state == "done"
    assert main_pid(hub.machine) == before


def test_without_a_database_it_is_started_until_there_is_one(hub: Hub, with_parts: WithParts) -> None:
    hub.machine.run("systemctl", "stop", UNIT)
    hub.machine.run("systemctl", "stop", "hub-database")
    before, since = int(hub.machine.show("NRestarts", UNIT)), hub.machine.cursor()
    hub.machine.run("systemctl", "start", "--no-block", UNIT)
    hub.machine.wait(lambda: int(hub.machine.show("NRestarts", UNIT)) >= before + 2, START_S, "a second try")
    assert "training-hub: the queue's tables cannot be made" in hub.machine.journal(since, UNIT)
    hub.machine.run("systemctl", "start", "hub-database")
    assert with_parts(features).state == "done"


def test_a_stop_ends_in_order(hub: Hub) -> None:
    since = hub.machine.cursor()
    hub.machine.run("systemctl", "stop", UNIT)
    assert (hub.machine.show("Result", UNIT), hub.machine.show("ExecMainStatus", UNIT)) == ("success", "0")
    log = hub.machine.journal(since, UNIT)
    assert "the worker has ended" in log and "Traceback" not in log
