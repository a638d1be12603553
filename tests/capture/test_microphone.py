from __future__ import annotations

import signal
import threading
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge_agent.capture import microphone
from edge_agent.capture.devices import find_device, list_devices, rescan_devices
from edge_agent.capture.microphone import DeviceReader, MicrophoneSource
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import SourceError
from tests.support.pulse import PulseServer

RATE_HZ = 16_000
SETTINGS = DeviceSettings("mic0", rate_hz=RATE_HZ)


def test_it_hears_the_tone_that_is_played(pulse: PulseServer) -> None:
    t = np.arange(8 * RATE_HZ) / RATE_HZ
    with pulse.playing("mic0", (0.25 * np.sin(2 * np.pi * 1234 * t)).astype(np.float32)):
        source = MicrophoneSource("press", SETTINGS)
        blocks = list(islice(source.blocks(), 20))
        source.close()
    heard = np.concatenate([block.samples for block in blocks])[RATE_HZ // 2 :, 0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * RATE_HZ / len(heard) == pytest.approx(1234, abs=2)
    assert np.sqrt(2) * heard.std() == pytest.approx(0.25, rel=0.05)


def test_sample_clock_keeps_pace_with_time(pulse: PulseServer) -> None:
    source = MicrophoneSource("press", SETTINGS)
    blocks = source.blocks()
    first = next(blocks)
    start_s = time.monotonic()
    last = list(islice(blocks, 15))[-1]
    elapsed_s = time.monotonic() - start_s
    source.close()
    assert (last.stop_sample - first.stop_sample) / RATE_HZ == pytest.approx(elapsed_s, abs=0.3)


def test_unplugged_device_ends_in_an_error(pulse: PulseServer, tmp_path: Path) -> None:
    own = PulseServer(tmp_path, ("micgone",))
    own.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ALSA_CONFIG_PATH", str(own.alsa_config))
            rescan_devices()
            source = MicrophoneSource("press", DeviceSettings("micgone", rate_hz=RATE_HZ))
            blocks = source.blocks()
            next(blocks)
            own.signal(signal.SIGKILL)
            killed_s = time.monotonic()
            with pytest.raises(SourceError, match="micgone"):
                list(blocks)
            assert time.monotonic() - killed_s < 1
            source.close()
    finally:
        own.stop()
        rescan_devices()


def test_absent_device_names_what_is_there(pulse: PulseServer) -> None:
    source = MicrophoneSource("press", DeviceSettings("no-such-mic", rate_hz=RATE_HZ))
    with pytest.raises(SourceError, match=r"'no-such-mic' is not there.*mic0"):
        next(source.blocks())
    source.close()


def test_listed_devices_have_names_to_configure(pulse: PulseServer) -> None:
    device = find_device("mic1", list_devices())
    assert device.token == "ALSA:mic1"
    assert device.channels >= 1


class ScriptedStream:
    """A device whose driver is played by the test: what it holds, and when it lost samples."""

    def __init__(self) -> None:
        self.held = 0
        self.overflowed = False
        self.value = 0

    def available(self) -> int:
        return self.held

    def read(self, n: int) -> tuple[bytes, bool]:
        assert n <= self.held, "reading more than is there would block"
        self.held -= n
        overflowed, self.overflowed = self.overflowed, False
        samples = np.arange(self.value, self.value + n, dtype=np.float32)
        self.value += n
        return samples.tobytes(), overflowed

    def close(self) -> None:
        """Nothing to free."""


class Desk:
    """A reader on a scripted device, with the time in the test's hand."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.stream = ScriptedStream()
        self.reader = DeviceReader(SETTINGS, self.stream, lambda: self.now_ns)

    def pass_time(self, seconds: float, *, delivered: bool = True) -> None:
        self.now_ns += round(seconds * 1e9)
        self.stream.held += round(seconds * RATE_HZ) if delivered else 0


def test_reader_gives_whole_blocks_and_the_rest_at_the_end() -> None:
    desk = Desk()
    desk.pass_time(0.35)
    blocks = [desk.reader.next_block(), *desk.reader.rest()]
    assert [(b.first_sample, len(b.samples)) for b in blocks] == [(0, 1600), (1600, 1600), (3200, 1600), (4800, 800)]
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks])[:, 0], np.arange(5600))


def test_overflow_becomes_a_gap_of_the_time_that_is_missing() -> None:
    desk = Desk()
    desk.pass_time(0.15)
    desk.reader.next_block()
    desk.pass_time(0.5, delivered=False)  # nobody read; the driver threw this half second away
    desk.pass_time(0.1)
    desk.stream.overflowed = True
    block = desk.reader.next_block()
    assert block.first_sample == 1600 + 8000
    assert block.gap_reason is Lost.OVERRUN


def test_overflow_too_short_to_measure_is_still_a_gap() -> None:
    desk = Desk()
    desk.pass_time(0.1)
    desk.stream.overflowed = True
    assert desk.reader.next_block().first_sample == 1


def test_frozen_device_is_told_and_does_not_hang_the_agent() -> None:
    thaw = threading.Event()

    class Frozen(ScriptedStream):
        def read(self, n: int) -> tuple[bytes, bool]:
            thaw.wait()
            raise SourceError("thawed")

    source = MicrophoneSource("press", SETTINGS, open_stream=lambda settings: Frozen(), stall_s=0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(microphone, "CLOSE_TIMEOUT_S", 0.05)
        with pytest.raises(SourceError, match=r"'mic0' has given nothing for 0.05 s"):
            list(source.blocks())
    thaw.set()


def test_fault_of_the_device_comes_after_every_captured_block() -> None:
    class Failing(ScriptedStream):
        def read(self, n: int) -> tuple[bytes, bool]:
            if self.value >= 4800:
                raise SourceError("device 'mic0' stopped")
            self.held = n
            return super().read(n)

    source = MicrophoneSource("press", SETTINGS, open_stream=lambda settings: Failing())
    blocks = source.blocks()
    assert [next(blocks).first_sample for _ in range(3)] == [0, 1600, 3200]
    with pytest.raises(SourceError, match="stopped"):
        next(blocks)


def test_programming_error_in_the_reader_does_not_hang_the_consumer() -> None:
    def broken(settings: DeviceSettings) -> ScriptedStream:
        raise ZeroDivisionError("oops")

    with pytest.raises(SourceError, match=r"reader failed.*oops"):
        next(MicrophoneSource("press", SETTINGS, open_stream=broken).blocks())


@pytest.mark.parametrize(("rate_hz", "channels"), [(3, 1), (10_000_000, 1), (16_000, 0), (16_000, 64)])
def test_absurd_settings_are_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(SourceError, match="mic0"):
        DeviceSettings("mic0", rate_hz=rate_hz, channels=channels)
