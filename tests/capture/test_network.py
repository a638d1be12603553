from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture.network import NetworkSource
from edge_agent.capture.reasons import Lost
from edge_agent.capture.sample_format import SampleFormat
from edge_agent.capture.source import Block, Source, SourceError
from tests.capture.streams import ffmpeg_source, ramp, tcp_sender, tcp_source
from tests.support.rtsp import RtspMicrophone
from tests.support.tones import loudest_hz, tone

RATE_HZ = 16_000
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and os.environ.get("CI") != "true", reason="ffmpeg is not installed"
)


def until_fault(source: Source) -> tuple[list[Block], SourceError]:
    blocks: list[Block] = []
    with pytest.raises(SourceError) as caught:
        for block in source.blocks():
            blocks.append(block)
    return blocks, caught.value


@pytest.mark.parametrize(
    ("fmt", "dtype", "full_scale"),
    [
        (SampleFormat.S16LE, "<i2", 2**15),
        (SampleFormat.S32LE, "<i4", 2**31),
        (SampleFormat.F32LE, "<f4", 1),
        (SampleFormat.F32BE, ">f4", 1),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_formats_decode_to_full_scale(fmt: SampleFormat, dtype: str, full_scale: int, channels: int) -> None:
    wanted = np.linspace(-1, 0.875, 5 * channels).reshape(5, channels)
    data = (wanted * full_scale).astype(dtype).tobytes()
    decoded = fmt.decode(data, channels)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, wanted, atol=2 / 2**15)


def test_24_bits_are_exact() -> None:
    values = np.array([-(2**23), -1, 0, 1, 2**23 - 1], dtype="<i4")
    data = values.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    np.testing.assert_array_equal(SampleFormat.S24LE.decode(data, 1)[:, 0] * 2**23, values)


def test_every_sample_of_a_tcp_stream_comes_through_in_its_column() -> None:
    sent = ramp(20_000, channels=2)
    sent[:, 1] *= -1
    with tcp_sender(sent.tobytes(), bytes_per_s=400_000) as url:
        blocks, error = until_fault(tcp_source(url, channels=2))
    heard = np.concatenate([block.samples for block in blocks])
    np.testing.assert_array_equal(heard * 2**15, sent)
    assert [block.first_sample for block in blocks] == list(range(0, 20_000, 1600))
    assert "ended by the sender" in str(error)
    assert error.reason is Lost.UNPLUGGED


def test_silent_stream_is_frozen() -> None:
    with tcp_sender(ramp(3200).tobytes(), bytes_per_s=1e6, then="silence") as url:
        blocks, error = until_fault(tcp_source(url, stall_s=0.3))
    assert sum(len(block.samples) for block in blocks) == 3200
    assert error.reason is Lost.FROZEN


def test_absent_sender_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, error = until_fault(tcp_source(f"tcp://127.0.0.1:{port}"))
    assert "no connection" in str(error)


class LossyInput:
    """A stream that always has 0.1 s more, as far as its clock has got; a second of it is lost on the way."""

    sample_format = SampleFormat.S16LE

    def __init__(self) -> None:
        self.now_ns = 0
        self.received = 0
        self.ready, other = os.pipe()
        os.close(other)

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self.ready,)

    def receive(self, descriptor: int) -> bytes:
        self.received += 1
        self.now_ns += 1_100_000_000 if self.received == 300 else 100_000_000
        return bytes(3200)

    def close(self) -> None:
        os.close(self.ready)


def test_packets_lost_on_the_way_become_a_gap_of_their_length() -> None:
    stream = LossyInput()
    source = NetworkSource(
        "press", rate_hz=RATE_HZ, channels=1, open_input=lambda: stream, monotonic_ns=lambda: stream.now_ns
    )
    blocks = list(islice(source.blocks(), 700))
    source.close()
    gaps = [after.first_sample - before.stop_sample for before, after in pairwise(blocks)]
    assert [gap for gap in gaps if gap] == [RATE_HZ]
    assert {block.gap_reason for block in blocks} == {Lost.GAP}


def test_closing_wakes_a_listener_that_waits() -> None:
    with tcp_sender(ramp(1600).tobytes(), bytes_per_s=1e6, then="silence") as url:
        source = tcp_source(url, stall_s=30)
        threading.Timer(0.5, source.close).start()
        started_s = time.monotonic()
        assert len(list(source.blocks())) == 1
        assert time.monotonic() - started_s < 5


@needs_ffmpeg
def test_rtsp_with_a_password_that_no_process_list_shows() -> None:
    sound = np.stack([tone(440, 1, RATE_HZ), tone(1320, 1, RATE_HZ)], axis=1)
    credentials = ("agent", "hunter2 @'/")
    with RtspMicrophone(sound, RATE_HZ, credentials).running() as server:
        source = ffmpeg_source(server.url, channels=2, credentials=credentials)
        blocks = source.blocks()
        taken = [next(blocks)]
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
        assert any(b"ffmpeg" in command for command in commands)
        assert not any(b"hunter2" in command or b"agent:" in command for command in commands)
        taken += islice(blocks, 20)
        source.close()
        list(blocks)
    heard = np.concatenate([block.samples for block in taken])
    assert loudest_hz(heard[:, 0], RATE_HZ) == pytest.approx(440, abs=2)
    assert loudest_hz(heard[:, 1], RATE_HZ) == pytest.approx(1320, abs=2)
    assert np.sqrt(2) * heard.std() == pytest.approx(0.25, rel=0.05)
    assert not _ffmpeg_children()


@needs_ffmpeg
def test_wrong_password_is_told_without_it() -> None:
    with RtspMicrophone(tone(440, 1, RATE_HZ)[:, None], RATE_HZ, ("agent", "right")).running() as server:
        _, error = until_fault(ffmpeg_source(server.url, credentials=("agent", "hunter2")))
    assert "401" in str(error)
    assert "hunter2" not in str(error)
    assert not _ffmpeg_children()


@needs_ffmpeg
@pytest.mark.parametrize("declared", [1, 3])
def test_other_channels_than_declared_are_refused_not_mixed(declared: int) -> None:
    sound = np.stack([tone(440, 1, RATE_HZ)] * 2, axis=1)
    with RtspMicrophone(sound, RATE_HZ, None).running() as server:
        _, error = until_fault(ffmpeg_source(server.url, channels=declared))
    assert f"has 2 channels, not {declared}" in str(error)


@needs_ffmpeg
def test_rtsp_that_falls_silent_is_frozen() -> None:
    with RtspMicrophone(tone(440, 1, RATE_HZ)[:, None], RATE_HZ, None).running() as server:
        source = ffmpeg_source(server.url, stall_s=1.0)
        blocks = source.blocks()
        next(blocks)
        server.silent.set()
        with pytest.raises(SourceError, match="nothing for 1 s") as caught:
            list(blocks)
        assert caught.value.reason is Lost.FROZEN
    assert not _ffmpeg_children()


@needs_ffmpeg
def test_rtp_is_heard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1] // 2 * 2
    url = f"rtp://127.0.0.1:{port}"
    sender = ["ffmpeg", "-loglevel", "quiet", "-re", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=44100"]
    sender += ["-c:a", "pcm_s16be", "-f", "rtp", url]
    with subprocess.Popen(sender, stdout=subprocess.DEVNULL) as process:
        source = ffmpeg_source(url)
        blocks = list(islice(source.blocks(), 15))
        source.close()
        process.kill()
    heard = np.concatenate([block.samples for block in blocks])[:, 0]
    assert loudest_hz(heard, RATE_HZ) == pytest.approx(1000, abs=2)


def _ffmpeg_children() -> list[str]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in children if b"ffmpeg" in Path(f"/proc/{pid}/cmdline").read_bytes()]
