"""Runs the contract over every source there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from edge_agent.capture.microphone import MicrophoneSource
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.replay import FileSource, StreamSource
from tests.capture.conftest import WriteSound
from tests.capture.contract import CHECKS, MakeSource
from tests.capture.streams import ffmpeg_source, ramp, tcp_sender, tcp_source
from tests.support.pulse import PulseServer
from tests.support.rtsp import RtspMicrophone
from tests.support.tones import tone


@pytest.fixture
def endless_tcp() -> Iterator[str]:
    with tcp_sender(ramp(16_000 * 60, channels=2).tobytes(), bytes_per_s=64_000) as url:
        yield url


@pytest.fixture
def rtsp_microphone() -> Iterator[RtspMicrophone]:
    with RtspMicrophone(tone(440, 1, 16_000)[:, None], 16_000, None).running() as server:
        yield server


@pytest.fixture(params=["mono", "tiny_blocks", "two_of_four", "stream", "microphone", "alsa_microphone", "tcp", "rtsp"])
def make_source(request: pytest.FixtureRequest, write_sound: WriteSound) -> MakeSource:
    if request.param in ("microphone", "alsa_microphone"):
        pulse: PulseServer = request.getfixturevalue("pulse")
        token = pulse.token("mic1") if request.param == "microphone" else "ALSA:mic1"
        return lambda: MicrophoneSource("press-1", DeviceSettings(token, rate_hz=16_000))
    if request.param == "tcp":
        url = request.getfixturevalue("endless_tcp")
        return lambda: tcp_source(url, channels=2)
    if request.param == "rtsp":
        if shutil.which("ffmpeg") is None and os.environ.get("CI") != "true":
            pytest.skip("ffmpeg is not installed")
        server: RtspMicrophone = request.getfixturevalue("rtsp_microphone")
        return lambda: ffmpeg_source(server.url)
    mono = write_sound("mono.wav")
    four = write_sound("four.flac", channels=4, rate_hz=48_000)
    makers: dict[str, MakeSource] = {
        "mono": lambda: FileSource(mono),
        "tiny_blocks": lambda: FileSource(mono, block_samples=1),
        "two_of_four": lambda: FileSource(four, channels=(3, 1), block_samples=160),
        "stream": lambda: StreamSource([mono, mono], block_samples=900),
    }
    return makers[request.param]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_source_keeps_the_contract(check: Callable[[MakeSource], None], make_source: MakeSource) -> None:
    check(make_source)
