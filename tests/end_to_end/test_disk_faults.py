"""A disk that is full, read-only or fails now and then: the agent goes on, alarms go out, the metrics tell of it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.delivery.events import parse_event
from edge_agent.delivery.states import AlarmData
from tests.end_to_end.conftest import PUMP, Plant, source
from tests.support.agent import ROOT, Agent, write_config
from tests.support.broker import Broker, Subscriber, free_port, needs_mosquitto, wait_until

pytestmark = [
    pytest.mark.end_to_end,
    needs_mosquitto,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
    pytest.mark.xdist_group("disk"),
]

needs_libfiu = pytest.mark.skipif(shutil.which("fiu-run") is None, reason="fiu-run (fiu-utils) is not installed")


@contextmanager
def _mounted(directory: Path, size: str) -> Iterator[Path]:
    directory.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@dataclass
class Rig:
    """An agent with its state on a disk of its own, a broker, and who listens there."""

    agent: Agent
    subscriber: Subscriber
    disk: Path

    def metric(self, name: str) -> float:
        """Sum over all series of a metric."""
        _, text = self.agent.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        )

    def raised(self) -> int:
        """How many alarms the subscriber heard being raised."""
        found = [parse_event(heard.payload) for heard in list(self.subscriber.heard) if heard.topic.endswith("/alarm")]
        return len({event.data.alarm for event in found if isinstance(event.data, AlarmData)})

    def goes_on(self, what: str) -> None:
        """New alarms come through, and the agent is alive, and is the same process."""
        before = self.raised()
        wait_until(lambda: self.raised() >= before + 2, 60.0, f"alarms while the disk {what}")
        assert self.agent.process.poll() is None
        assert self.agent.get("/livez")[0] == 200


@contextmanager
def _rig(plant: Plant, directory: Path, disk: Path, *prefix: str) -> Iterator[Rig]:
    broker = Broker(directory / "broker")
    broker.start()
    state = disk / "state"
    if not state.exists():
        shutil.copytree(plant.state, state)
    port = free_port()
    body = PUMP + source("film", "pump_1", plant.film, 40.0, loop=True)
    alarms = "[alarms]\nrejoin_s = 0\n" if "rejoin_s" in (ROOT / "config" / "agent.toml").read_text() else ""
    config = write_config(
        directory / "agent.toml", state_dir=state, mqtt_port=broker.port, http_port=port, body=alarms + body
    )
    agent = Agent(config, port, directory / "log", prefix=prefix)
    subscriber = Subscriber(broker.port)
    try:
        agent.wait_ready()
        rig = Rig(agent, subscriber, disk)
        wait_until(lambda: rig.raised() > 0, 60.0, "the first alarm")
        yield rig
        assert agent.stop() == 0
    finally:
        if agent.process.poll() is None:
            agent.kill()
        subscriber.close()
        broker.stop()


def _fill(disk: Path) -> Path:
    """A file that takes what is left."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"\0" * 4096)
    return filling


TOLD = ("edge_agent_outbox_errors_total", "edge_agent_outbox_dropped_total", "edge_agent_alarm_store_failures_total")


def test_a_full_disk(plant: Plant, tmp_path: Path) -> None:
    with _mounted(tmp_path / "disk", "16m") as disk, _rig(plant, tmp_path, disk) as rig:
        filling = _fill(disk)
        rig.goes_on("is full")
        # the outbox gave its reserve back in time, so that nothing had to be refused
        assert rig.metric("edge_agent_state_disk_free_bytes") < 0.1 * rig.metric("edge_agent_state_disk_size_bytes")
        filling.unlink()
        wait_until(lambda: rig.metric("edge_agent_intake_held_events") == 0, 30.0, "nothing held once there is room")
        rig.goes_on("has room again")
        assert rig.metric("edge_agent_intake_given_up_total") == 0


def test_a_disk_that_is_read_only_from_the_start(plant: Plant, tmp_path: Path) -> None:
    """As an SD card does at the end of its life: the gateway comes up, and what it hears goes out."""
    with _mounted(tmp_path / "disk", "16m") as disk:
        shutil.copytree(plant.state, disk / "state")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with _rig(plant, tmp_path, disk) as rig:
            rig.goes_on("is read-only")
            assert rig.metric("edge_agent_outbox_errors_total") > 0
            assert rig.metric("edge_agent_intake_held_events") >= 0
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
            wait_until((disk / "state" / "outbox.db").exists, 30.0, "the outbox on the disk")
            rig.goes_on("can be written again")


@needs_libfiu
@pytest.mark.parametrize(
    ("faults", "probability"),
    [
        (("posix/io/rw/pread*", "posix/io/rw/pwrite*", "posix/io/sync/*"), 0.02),
        (("posix/io/rw/pwrite*",), 1.0),
        (("posix/io/sync/*",), 1.0),
    ],
    ids=["2 % of the database's", "every write of the database", "every sync"],
)
def test_io_errors(plant: Plant, tmp_path: Path, faults: tuple[str, ...], probability: float) -> None:
    (tmp_path / "disk").mkdir()
    with _rig(plant, tmp_path, tmp_path / "disk", "fiu-run", "-x") as rig:
        for fault in faults:
            _control(rig, f"enable_random name={fault},probability={probability}")
        rig.goes_on("fails")
        wait_until(lambda: sum(map(rig.metric, TOLD)) > 0, 60.0, "the metrics to tell of it")
        for fault in faults:
            _control(rig, f"disable name={fault}")
        rig.goes_on("is sound again")
        wait_until(lambda: rig.metric("edge_agent_intake_held_events") == 0, 30.0, "nothing held once it is sound")


def _control(rig: Rig, command: str) -> None:
    """fiu-run is a script that becomes the agent: its process is the agent's."""
    subprocess.run(["fiu-ctrl", "-c", command, str(rig.agent.process.pid)], check=True, timeout=20)
