"""The tap: whoever listens in hears exactly the samples that frames and windows are made of, at the same places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.clips.ring import AudioRing
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings

SIGNAL = SignalSettings()
NOISE = (np.random.default_rng(5).integers(-9000, 9000, 48_000 * 8) / 32768).astype(np.float32)


class Ring(AudioRing):
    """A ring as the agent's recorder feeds it."""

    ended = False

    def end(self) -> None:
        self.ended = True


steps = st.lists(st.tuples(st.booleans(), st.integers(1, 30_000)), min_size=1, max_size=10)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@settings(max_examples=30, deadline=None)
@given(script=steps)
def test_windows_and_the_tap_speak_of_the_same_samples(rate_hz: int, script: list[tuple[bool, int]]) -> None:
    ring = Ring(16_000 * 60)
    stream = ChannelStream(SIGNAL, WindowShape(2.1, 2.1), rate_hz, ring)
    position = 0
    for is_gap, count in script:
        if not is_gap:
            stream.push(NOISE[:count], position)
        position += count
    stream.finish()
    assert ring.ended
    for window, _ in stream.closed_windows:
        found = ring.cut(window.start_sample, window.start_sample + window.samples)
        assert len(found.samples) == window.samples
        assert sum(stop - start for start, stop in found.gaps) == window.samples - window.present_samples
        if not found.gaps:
            lead = -window.start_sample % SIGNAL.hop_samples
            frames = log_mel_db(found.samples[lead:].astype(np.float32) / np.float32(32768))
            # 16 bits are exact at 16 kHz; what a resampler makes lies between them
            assert np.allclose(frames, window.log_mel_db, atol=1e-3 if rate_hz == SIGNAL.sample_rate_hz else 0.5)
