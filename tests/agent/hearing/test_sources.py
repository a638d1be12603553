"""From a section of the configuration to a source that gives sound."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.hearing.sources import is_live, source_opener, stamps_by_arrival, timely_machines
from edge_agent.capture.source import Source, SourceError
from edge_agent.config.machine import MachineSection
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import ChannelSection, MicrophoneSection, SimulatedSection, StreamSection
from edge_agent.settings.secret import SecretFile
from tests.capture.streams import ramp, tcp_sender

HEARD = (ChannelSection(index=0, machine="auto"),)


def stream(url: str, **keys: object) -> StreamSection:
    return StreamSection.model_validate({"id": "yard", "kind": "stream", "url": url, "channel": HEARD, **keys})


def opened(section: StreamSection, environ: dict[str, str] | None = None) -> Source:
    return source_opener(section, AgentSettings(), environ or {})()


def test_stream_of_the_declared_format_is_heard() -> None:
    sent = ramp(4_000, channels=2).astype("<i4") << 16
    with tcp_sender(sent.tobytes(), bytes_per_s=1e6) as url:
        blocks = list(islice(opened(stream(url, format="s32le", channels=2)).blocks(), 2))
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks]) * 2**15, ramp(3_200, 2))


def test_missing_password_is_told_by_its_file_when_the_stream_is_opened(tmp_path: Path) -> None:
    section = stream("rtsp://127.0.0.1:1/a", username="u", password_file=SecretFile(str(tmp_path / "none")))
    with pytest.raises(SourceError, match="none: No such file"):
        next(iter(opened(section).blocks()))


def test_only_what_cannot_wait_is_live() -> None:
    simulated = SimulatedSection(id="s", kind="simulated", channel=HEARD, speed=2.0)
    microphone = MicrophoneSection(id="m", kind="microphone", device="usb:1-1", channel=HEARD)
    assert [is_live(each) for each in (microphone, stream("tcp://h:1"), simulated)] == [True, True, False]
    assert [stamps_by_arrival(each) for each in (microphone, stream("tcp://h:1"), simulated)] == [True, True, False]


def test_microphone_is_asked_for_every_channel_up_to_the_highest_that_is_heard() -> None:
    channels = (ChannelSection(index=3, machine="a"), ChannelSection(index=1, machine="b"))
    section = MicrophoneSection(id="m", kind="microphone", device="usb:1-1", rate_hz=48_000, channel=channels)
    source = source_opener(section, AgentSettings(), {})()
    assert (source.channels, source.rate_hz) == (4, 48_000)


def test_only_machines_heard_at_the_pace_of_time_have_delays_that_mean_something() -> None:
    def heard(source: str, machine: str, speed: float) -> SimulatedSection:
        channel = (ChannelSection(index=0, machine=machine),)
        return SimulatedSection(id=source, kind="simulated", speed=speed, channel=channel)

    sources = (heard("s1", "now", 1.0), heard("s2", "fast", 50.0))
    machines = tuple(MachineSection(id=name) for name in ("now", "fast"))
    assert timely_machines(AgentSettings(machine=machines, source=sources)) == {"now"}
    assert timely_machines(AgentSettings()) == frozenset()
