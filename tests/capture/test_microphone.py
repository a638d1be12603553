"""Microphones on a real sound server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_agent.capture.microphone import MicrophoneSource
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import SourceError
from tests.support.pulse import PulseServer
from tests.support.tones import loudest_hz, tone

RATE_HZ = 16_000


@pytest.fixture(params=["pulse", "alsa"])
def name_of(request: pytest.FixtureRequest, pulse: PulseServer) -> Callable[[str], str]:
    """The two ways to a microphone of the server."""
    return pulse.token if request.param == "pulse" else "ALSA:{}".format


@contextmanager
def own_server(
    directory: Path, *microphones: str, channels: int = 1, rate_hz: int = RATE_HZ, fmt: str = "s16le"
) -> Iterator[PulseServer]:
    server = PulseServer(directory, microphones, rate_hz=rate_hz, channels=channels, sample_format=fmt)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def hear(source: MicrophoneSource, blocks: int) -> npt.NDArray[np.float32]:
    taken = list(islice(source.blocks(), blocks))
    source.close()
    return np.concatenate([block.samples for block in taken])


def test_it_hears_the_tone_that_is_played(pulse: PulseServer, name_of: Callable[[str], str]) -> None:
    with pulse.playing("mic0", tone(1234, 8, RATE_HZ)):
        heard = hear(MicrophoneSource("press", DeviceSettings(name_of("mic0"), RATE_HZ)), 20)[RATE_HZ // 2 :, 0]
    assert loudest_hz(heard, RATE_HZ) == pytest.approx(1234, abs=2)
    assert np.sqrt(2) * heard.std() == pytest.approx(0.25, rel=0.05)


def test_sample_clock_keeps_pace_with_time(pulse: PulseServer, name_of: Callable[[str], str]) -> None:
    source = MicrophoneSource("press", DeviceSettings(name_of("mic0"), RATE_HZ))
    blocks = source.blocks()
    first = next(blocks)
    start_s = time.monotonic()
    last = list(islice(blocks, 30))[-1]
    elapsed_s = time.monotonic() - start_s
    source.close()
    assert (last.stop_sample - first.stop_sample) / RATE_HZ == pytest.approx(elapsed_s, abs=0.3)
    assert last.captured_ns is not None
    assert abs(last.captured_ns - time.monotonic_ns()) < 2e9


def test_every_channel_hears_its_own_column_and_none_is_mixed(pulse: PulseServer, tmp_path: Path) -> None:
    frequencies = (300, 700, 1500, 3100)
    sound = np.stack([tone(hz, 10, RATE_HZ) for hz in frequencies], axis=1)
    with own_server(tmp_path, "quad", channels=4) as server, server.playing("quad", sound):
        for channels in (1, 2, 4):
            heard = hear(MicrophoneSource("press", DeviceSettings(server.token("quad"), RATE_HZ, channels)), 15)
            for column in range(channels):
                part = heard[RATE_HZ // 2 :, column]
                spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
                assert loudest_hz(part, RATE_HZ) == pytest.approx(frequencies[column], abs=2)
                near = slice(
                    *(round(f * len(part) / RATE_HZ) for f in (frequencies[column] - 20, frequencies[column] + 20))
                )
                assert spectrum[near].sum() / spectrum.sum() > 0.9999, "the other channels are not in it"
        with pytest.raises(SourceError, match="has 4 channels, not 5"):
            next(MicrophoneSource("press", DeviceSettings(server.token("quad"), RATE_HZ, 5)).blocks())


@pytest.mark.parametrize(
    ("fmt", "rate_hz"), [("s16le", 8_000), ("s24le", 48_000), ("s32le", 96_000), ("float32le", 192_000)]
)
def test_depths_and_rates(pulse: PulseServer, tmp_path: Path, fmt: str, rate_hz: int) -> None:
    with own_server(tmp_path, "mic", rate_hz=rate_hz, fmt=fmt) as server, server.playing("mic", tone(1000, 6, rate_hz)):
        heard = hear(MicrophoneSource("press", DeviceSettings(server.token("mic"), rate_hz)), 15)[rate_hz // 2 :, 0]
    assert loudest_hz(heard, rate_hz) == pytest.approx(1000, abs=2)
    loudest = max(part.std() for part in np.array_split(heard, 10))  # a player that comes late leaves holes
    assert np.sqrt(2) * loudest == pytest.approx(0.25, rel=0.05)


def test_64_channels_of_one_card_keep_their_columns(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALSA's `file` over `null` plays back what a file holds, as a card with 64 inputs would give it."""
    frames = np.arange(64, dtype="<i2")[None, :].repeat(10 * RATE_HZ, axis=0) * 256
    (tmp_path / "wide.raw").write_bytes(frames.tobytes())
    config = f"""
        </usr/share/alsa/alsa.conf>
        pcm.wide_null {{ type null }}
        pcm.wide_file {{ type file slave.pcm "wide_null" file "/dev/null" infile "{tmp_path}/wide.raw" format "raw" }}
        pcm.wide {{ type plug slave {{ pcm "wide_file" format S16_LE channels 64 rate {RATE_HZ} }}
                    hint {{ show on description "wide" }} }}
    """
    (tmp_path / "asound.conf").write_text(config)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    source = MicrophoneSource("array", DeviceSettings("ALSA:wide", RATE_HZ, 64), real_time=False)
    block = next(source.blocks())
    source.close()
    assert block.samples.shape == (RATE_HZ // 10, 64)
    np.testing.assert_allclose(block.samples, (np.arange(64) * 256 / 32_768)[None, :].repeat(RATE_HZ // 10, axis=0))


def test_more_channels_than_a_sound_server_carries_are_refused_with_the_way_round(pulse: PulseServer) -> None:
    with pytest.raises(SourceError, match=r"32 channels at most, not 33; name the card itself"):
        next(MicrophoneSource("array", DeviceSettings(pulse.token("mic0"), RATE_HZ, 33)).blocks())


@pytest.mark.parametrize("way", ["pulse", "alsa"])
def test_unplugged_device_ends_in_an_error(tmp_path: Path, pulse: PulseServer, way: str) -> None:
    with own_server(tmp_path, "micgone") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALSA_CONFIG_PATH", str(server.alsa_config))
        token = server.token("micgone") if way == "pulse" else "ALSA:micgone"
        source = MicrophoneSource("press", DeviceSettings(token, RATE_HZ))
        blocks = source.blocks()
        next(blocks)
        server.signal(signal.SIGKILL)
        killed_s = time.monotonic()
        with pytest.raises(SourceError, match="micgone") as caught:
            list(blocks)
        assert time.monotonic() - killed_s < 5
        assert caught.value.reason is Lost.UNPLUGGED


def test_removed_source_is_an_error_though_another_is_there_to_move_to(tmp_path: Path, pulse: PulseServer) -> None:
    with own_server(tmp_path, "gone", "other") as server:
        server.pactl("load-module", "module-rescue-streams")
        server.pactl("set-default-source", "other.monitor")
        source = MicrophoneSource("press", DeviceSettings(server.token("gone"), RATE_HZ))
        blocks = source.blocks()
        next(blocks)
        (module,) = [row.split()[0] for row in server.pactl("list", "short", "modules").splitlines() if "=gone " in row]
        server.pactl("unload-module", module)
        with pytest.raises(SourceError, match="stopped"):
            list(islice(blocks, 50))
        with pytest.raises(SourceError, match="cannot be opened"):
            next(MicrophoneSource("press", DeviceSettings(server.token("gone"), RATE_HZ)).blocks())


def test_stream_cannot_be_moved_to_another_microphone(tmp_path: Path, pulse: PulseServer) -> None:
    with own_server(tmp_path, "mine", "other") as server, server.playing("other", tone(2000, 20, RATE_HZ)):
        source = MicrophoneSource("press", DeviceSettings(server.token("mine"), RATE_HZ))
        blocks = source.blocks()
        next(blocks)
        output = server.pactl("list", "short", "source-outputs").split()[0]
        with pytest.raises(Exception, match="returned non-zero"):
            server.pactl("move-source-output", output, "other.monitor")
        assert not np.concatenate([block.samples for block in islice(blocks, 5)]).any(), "silence, as of `mine`"
        source.close()


def test_suspended_source_is_told(tmp_path: Path, pulse: PulseServer) -> None:
    with own_server(tmp_path, "mic") as server:
        source = MicrophoneSource("press", DeviceSettings(server.token("mic"), RATE_HZ))
        blocks = source.blocks()
        next(blocks)
        server.pactl("suspend-sink", "mic", "1")
        with pytest.raises(SourceError, match="stopped"):
            list(islice(blocks, 50))


def test_frozen_server_is_told_within_the_stall_time(tmp_path: Path, pulse: PulseServer) -> None:
    with own_server(tmp_path, "mic") as server:
        source = MicrophoneSource("press", DeviceSettings(server.token("mic"), RATE_HZ), stall_s=1.0)
        blocks = source.blocks()
        next(blocks)
        server.signal(signal.SIGSTOP)
        frozen_s = time.monotonic()
        with pytest.raises(SourceError, match="frozen") as caught:
            list(blocks)
        assert time.monotonic() - frozen_s < 2
        assert caught.value.reason is Lost.FROZEN


def test_absent_device_names_what_is_there(pulse: PulseServer) -> None:
    source = MicrophoneSource("press", DeviceSettings("ALSA:no-such-mic", RATE_HZ))
    with pytest.raises(SourceError, match=r"'ALSA:no-such-mic' is not there.*mic0"):
        next(source.blocks())
    source.close()


def test_killed_reader_hurts_nobody_else(pulse: PulseServer) -> None:
    one = MicrophoneSource("one", DeviceSettings(pulse.token("mic0"), RATE_HZ))
    other = MicrophoneSource("other", DeviceSettings(pulse.token("mic1"), RATE_HZ))
    blocks, others = one.blocks(), other.blocks()
    next(blocks), next(others)
    assert one.reader_pid is not None
    os.kill(one.reader_pid, signal.SIGKILL)
    with pytest.raises(SourceError, match="signal 9"):
        list(blocks)
    taken = list(islice(others, 10))
    assert taken[-1].stop_sample == 1600 * 11
    other.close()


@pytest.mark.parametrize("device", ["3", "hw:1,0", "default", "ALSA:pulse"])
def test_what_moves_is_refused_at_once(device: str) -> None:
    with pytest.raises(SourceError, match=r"an index|chooses"):
        MicrophoneSource("press", DeviceSettings(device, RATE_HZ))


@pytest.mark.parametrize(("rate_hz", "channels"), [(3, 1), (10_000_000, 1), (16_000, 0), (16_000, 65)])
def test_absurd_settings_are_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(SourceError, match="mic0"):
        DeviceSettings("mic0", rate_hz=rate_hz, channels=channels)
