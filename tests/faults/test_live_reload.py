"""Reload of the real daemon while it listens to real devices: what does not change loses no sample."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.agent import Agent, running, write_config
from tests.support.broker import free_port, wait_until
from tests.support.pulse import PulseServer, missing_parts
from tests.support.tones import tone

RATE_HZ = 16_000
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        bool(missing_parts()) and os.environ.get("CI") != "true", reason=f"for want of: {missing_parts()}"
    ),
]


class Hall:
    """An agent that listens to two devices, a mono and a stereo one, and a third that nobody listens to yet."""

    agent: Agent

    def __init__(self, directory: Path, http_port: int, tokens: Mapping[str, str]) -> None:
        self.http_port = http_port
        self.config = directory / "agent.toml"
        self._directory = directory
        self._tokens = tokens

    def source(self, name: str, *channels: tuple[int, str], more: str = "") -> str:
        """The lines of one source."""
        head = f'[[source]]\nid = "{name}"\nkind = "microphone"\ndevice = "{self._tokens[name]}"\n{more}'
        return head + "".join(f'[[source.channel]]\nindex = {i}\nmachine = "{m}"\n' for i, m in channels)

    def write(self, *sources: str) -> None:
        machines = "".join(f'[[machine]]\nid = "m{k}"\n' for k in range(4))
        write_config(
            self.config, state_dir=self._directory / "state", mqtt_port=None, http_port=self.http_port,
            body='[window]\nwindow_s = 3.0\nhop_s = 3.0\n' + machines + "".join(sources),
        )  # fmt: skip

    def reload(self, *sources: str) -> str:
        """Take over other sources; what the log says of it."""
        before = len(self.agent.log.read_text())
        self.write(*sources)
        self.agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "configuration reloaded" in self.agent.log.read_text()[before:], 20, "the reload")
        return self.agent.log.read_text()[before:]

    def samples(self, name: str) -> dict[tuple[str, int], int]:
        """A counter of the ledger by source and channel, summed over its reasons."""
        found: dict[tuple[str, int], int] = {}
        pattern = rf'^edge_agent_samples_{name}(?:_total)?{{channel="(\d+)",(?:reason="\w+",)?source="(\w+)"}} (\S+)$'
        for line in re.finditer(pattern, _ordered(self.agent.get("/metrics")[1]), re.MULTILINE):
            key = (line[2], int(line[1]))
            found[key] = found.get(key, 0) + round(float(line[3]))
        return found

    def hears(self, *keys: tuple[str, int], seconds: float = 1.0) -> None:
        """Wait until all of these have given so much more sound."""
        before = self.samples("captured")

        def more() -> bool:
            now = self.samples("captured")
            return all(now.get(key, 0) - before.get(key, 0) >= seconds * RATE_HZ for key in keys)

        wait_until(more, 20, f"{seconds} s of {keys}")


def _ordered(text: str) -> str:
    """Metrics with the labels of each sample in alphabetical order."""
    return re.sub(r"\{(.*?)\}", lambda labels: "{" + ",".join(sorted(labels[1].split(","))) + "}", text)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with ExitStack() as stack:
        servers = {}
        for name, channels in (("mono", 1), ("stereo", 2), ("guest", 1)):
            (tmp_path / name).mkdir()
            server = servers[name] = PulseServer(tmp_path / name, (name,), rate_hz=RATE_HZ, channels=channels)
            server.start()
            stack.callback(server.stop)
            sound = tone(440.0, 120.0, RATE_HZ, 0.2)
            stereo = sound if channels == 1 else sound[:, None].repeat(2, axis=1)
            stack.enter_context(server.playing(name, stereo))
        hall = Hall(tmp_path, free_port(), {name: server.token(name) for name, server in servers.items()})
        hall.write(hall.source("mono", (0, "m0")), hall.source("stereo", (1, "m1")))
        hall.agent = stack.enter_context(running(hall.config, hall.http_port, tmp_path / "log"))
        hall.agent.wait_ready()
        yield hall


def test_what_stays_loses_no_sample_while_others_come_go_and_change(hall: Hall) -> None:
    mono, stereo = hall.source("mono", (0, "m0")), hall.source("stereo", (1, "m1"))
    hall.hears(("mono", 0), ("stereo", 1), seconds=2)
    started_s, began = time.monotonic(), hall.samples("captured")["mono", 0]

    # a device comes
    hall.reload(mono, stereo, hall.source("guest", (0, "m2")))
    hall.hears(("mono", 0), ("stereo", 1), ("guest", 0))
    assert set(hall.samples("lost").values()) == {0}

    # another channel of a device that runs is heard, and the machine of the first one is another
    log = hall.reload(mono, hall.source("stereo", (0, "m1"), (1, "m3")), hall.source("guest", (0, "m2")))
    assert "source stereo" not in log, "it is not opened again"
    hall.hears(("mono", 0), ("stereo", 0), ("stereo", 1), ("guest", 0))
    assert set(hall.samples("lost").values()) == {0}
    assert hall.samples("captured")["stereo", 0] < hall.samples("captured")["stereo", 1]

    # a device is opened otherwise
    log = hall.reload(mono, hall.source("stereo", (0, "m1"), (1, "m3"), more="stall_s = 4.0\n"))
    assert "source stereo is down: ended" in log and "source mono" not in log
    assert {key[0] for key in hall.samples("captured")} == {"mono", "stereo"}, "and the guest is gone"
    hall.hears(("mono", 0), ("stereo", 0), ("stereo", 1))

    # a channel goes
    hall.reload(mono, hall.source("stereo", (1, "m3"), more="stall_s = 4.0\n"))
    hall.hears(("mono", 0), ("stereo", 1))
    assert set(hall.samples("captured")) == {("mono", 0), ("stereo", 1)}

    assert set(hall.samples("lost").values()) == {0}
    passed_s, heard = time.monotonic() - started_s, hall.samples("captured")["mono", 0] - began
    assert heard / RATE_HZ == pytest.approx(passed_s, abs=0.6), "one clock through all of it"
    assert hall.agent.stop() == 0
    closed = re.findall(r"books of mono channel 0 closed: (.*)", hall.agent.log.read_text())
    assert len(closed) == 1 and "+ 0 lost + 0 pending" in closed[0]
