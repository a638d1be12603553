"""From a device's own rate, with windows that overlap and a gap: the clip is what the resampler gave, to the bit."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.resample import StreamResampler
from edge_agent.signal.settings import SignalSettings
from tests.clips.plant import RATE_HZ, WINDOW_S, Desk

LOST = (7.25, 7.75)
ALARMS = {3, 4, 6}
"""Windows begin every two seconds: 6 to 10 s, 8 to 12 s, 12 to 16 s; the rolls, 6 s before and 3 s after, overlap."""


def captured(rate_hz: int, seconds: float) -> NDArray[np.float32]:
    steps = np.random.default_rng(rate_hz).integers(-32768, 32768, round(seconds * rate_hz))
    return (steps / 32768).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_the_clip_of_an_alarm_is_what_was_captured(tmp_path: Path, rate_hz: int) -> None:
    desk = Desk(tmp_path / "clips", {number: ("raised", 9.0) for number in ALARMS})
    desk.writer.start()
    shape = WindowShape(WINDOW_S, WINDOW_S / 2)
    channel = ChannelStream(SignalSettings(), shape, rate_hz, desk.tap)
    sound = captured(rate_hz, 21.0)
    lost = [round(second * rate_hz) for second in LOST]
    position, blocks = 0, np.random.default_rng(1)
    while position < len(sound):
        stop = min(len(sound), position + int(blocks.integers(1, rate_hz // 5)))
        stop = min(stop, lost[0]) if position < lost[0] else stop
        if position == lost[0]:
            position, stop = lost[1], min(len(sound), lost[1] + rate_hz // 10)
        channel.push(sound[position:stop], position)
        position = stop
        for window, _ in channel.closed_windows:
            desk.hear(window.start_sample, window.samples, window.log_mel_db)
        channel.closed_windows.clear()
        channel.take_patches()
    store = desk.finish()
    expected = _resampled(sound, rate_hz, lost)
    assert len(desk.clips) == len(ALARMS)
    for number in ALARMS:
        clip = store.find(desk.clips[number])
        samples = soundfile.read(store.payload_path(clip), dtype="int16")[0]
        first = round(2 * number * RATE_HZ) - 6 * RATE_HZ
        start, stop = max(0, first), first + 13 * RATE_HZ
        assert clip.sound.first_sample == start
        assert np.array_equal(samples, expected[start : min(stop, len(expected))]), number
    store.close()


def _resampled(sound: NDArray[np.float32], rate_hz: int, lost: list[int]) -> NDArray[np.int16]:
    """All of it in one go, silence where it was lost."""
    parts = [sound[: lost[0]], sound[lost[1] :]]
    found = []
    for part in parts:
        resampler = StreamResampler(rate_hz, RATE_HZ)
        found.append(np.concatenate([resampler.push(part), resampler.flush()]))
    starts = [0, round(lost[1] * RATE_HZ / rate_hz)]
    whole = np.zeros(starts[1] + len(found[1]), np.float32)
    for start, part in zip(starts, found, strict=True):
        length = min(len(part), round(lost[0] * RATE_HZ / rate_hz)) if start == 0 else len(part)
        whole[start : start + length] = part[:length]
    return np.clip(np.rint(whole * np.float32(32768)), -32768, 32767).astype(np.int16)
