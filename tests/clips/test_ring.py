"""The last minute of a channel, whatever way it arrived."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clips.ring import AudioRing

SOUND = np.random.default_rng(4).integers(-32768, 32768, 5_000).astype(np.int16)

steps = st.lists(st.tuples(st.booleans(), st.integers(1, 700)), max_size=20)


@given(steps, st.integers(0, 6_000), st.integers(0, 2_000))
def test_what_is_cut_is_what_came(script: list[tuple[bool, int]], start: int, length: int) -> None:
    ring, truth, lost = AudioRing(1_000), np.zeros(0, np.int16), np.zeros(0, bool)
    for is_gap, count in script:
        piece = np.zeros(count, np.int16) if is_gap else np.resize(SOUND, len(truth) + count)[len(truth) :]
        if is_gap:
            ring.gap(count)
        else:
            ring.push(piece.astype(np.float32) / np.float32(32768))
        truth, lost = np.concatenate([truth, piece]), np.concatenate([lost, np.full(count, is_gap)])
    assert ring.position == len(truth)
    first, stop = max(start, len(truth) - 1_000, 0), min(start + length, len(truth))
    found = ring.cut(start, start + length)
    expected = truth[first:stop] if stop > first else truth[:0]
    assert np.array_equal(found.samples, expected)
    if len(expected):
        assert found.first_sample == first
        heard = np.ones(len(expected), bool)
        for begin, end in found.gaps:
            heard[begin:end] = False
        assert np.array_equal(heard, ~lost[first:stop])
        assert found.coverage == np.mean(heard)


def test_memory_is_two_bytes_a_sample() -> None:
    assert AudioRing(75 * 16_000).nbytes == 75 * 16_000 * 2 < 5_000_000


def test_what_is_beyond_full_scale_is_cut_to_it_and_counted() -> None:
    ring = AudioRing(10)
    ring.push(np.array([1.5, -1.5, 1.0, -1.0, 0.0], np.float32))
    found = ring.cut(0, 5)
    assert found.samples.tolist() == [32767, -32768, 32767, -32768, 0]
    assert found.clipped_samples == 2
