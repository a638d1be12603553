"""From a section of the configuration to a source that gives sound."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.sources import in_real_time, is_live, source_opener, stamps_by_arrival
from edge_agent.capture.source import Source, SourceError
from edge_agent.config.secret import SecretFile
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import ChannelSection, MicrophoneSection, SimulatedSection, StreamSection
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


@pytest.mark.parametrize(("speeds", "timely"), [((), True), ((1.0,), True), ((0.5,), False), ((1.0, 50.0), False)])
def test_how_late_events_are_means_something_only_where_all_is_heard_in_real_time(
    speeds: tuple[float, ...], timely: bool
) -> None:
    sources = [SimulatedSection(id=f"m{k}", kind="simulated", speed=s, channel=HEARD) for k, s in enumerate(speeds)]
    assert in_real_time(AgentSettings(source=tuple(sources))) is timely
