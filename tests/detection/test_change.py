"""What a person would hear in the bands that were named."""

import numpy as np
import pytest

from edge_agent.detection.change import changes_in
from edge_agent.detection.third_octave import ThirdOctaves
from edge_agent.detection.verdict import Rhythm

OCTAVES = ThirdOctaves()
FRAMES = 311
FRAMES_PER_S = 31.25


def _noise(seed: int = 0) -> np.ndarray:
    """Steady noise, `[frames, 128]`, dB."""
    rng = np.random.default_rng(seed)
    return (-60.0 + 10.0 * np.log10(rng.gamma(4.0, 0.25, size=(FRAMES, 128)))).astype(np.float32)


def _risen(*centres_hz: float, by_db: float = 8.0) -> np.ndarray:
    change = np.zeros(128)
    for centre_hz in centres_hz:
        change[OCTAVES.mel_bands(centre_hz)] = by_db
    return change


def test_neighbours_are_one_change_and_others_are_not() -> None:
    change = _risen(800.0, 1000.0) + _risen(4000.0, by_db=12.0)
    found = changes_in((800.0, 1000.0, 4000.0), change, _noise(), OCTAVES)
    assert [c.bands_hz for c in found] == [(4000.0,), (800.0, 1000.0)]  # the larger one first
    assert [c.change_db for c in found] == pytest.approx([12.0, 8.0])
    assert all(c.rhythm is Rhythm.STEADY and c.tone_hz is None for c in found)


def test_neighbours_that_went_opposite_ways_are_two() -> None:
    change = _risen(800.0) + _risen(1000.0, by_db=-5.0)
    assert [c.bands_hz for c in changes_in((800.0, 1000.0), change, _noise(), OCTAVES)] == [(800.0,), (1000.0,)]


def test_a_narrow_rise_is_a_tone_where_it_is() -> None:
    change = np.zeros(128)
    middle = int(OCTAVES.mel_bands(3150.0)[4])
    change[middle] = 15.0
    (found,) = changes_in((3150.0,), change, _noise(), OCTAVES)
    assert found.tone_hz is not None
    assert 2800.0 <= found.tone_hz <= 3550.0


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 4.0])
def test_knocks_and_how_often(rate_hz: float) -> None:
    frames = _noise()
    bands = OCTAVES.mel_bands(1000.0)
    at = np.rint(np.arange(0.1, FRAMES / FRAMES_PER_S, 1.0 / rate_hz) * FRAMES_PER_S).astype(int)
    for offset in (0, 1):  # a knock rings on for two frames
        frames[np.ix_(np.minimum(at + offset, FRAMES - 1), bands)] += 25.0
    (found,) = changes_in((1000.0,), _risen(1000.0), frames, OCTAVES)
    assert found.rate_hz == pytest.approx(rate_hz, rel=0.15)
    assert found.rhythm is not Rhythm.STEADY


def test_irregular_knocks_have_no_rate() -> None:
    frames = _noise()
    at = np.random.default_rng(4).choice(FRAMES, 30, replace=False)
    frames[np.ix_(at, OCTAVES.mel_bands(1000.0))] += 25.0
    (found,) = changes_in((1000.0,), _risen(1000.0), frames, OCTAVES)
    assert (found.rhythm, found.rate_hz) == (Rhythm.INTERMITTENT, None)


def test_nothing_named_is_no_change() -> None:
    assert changes_in((), np.zeros(128), _noise(), OCTAVES) == ()


def test_a_window_of_one_frame() -> None:
    (found,) = changes_in((1000.0,), _risen(1000.0), _noise()[:1], OCTAVES)
    assert found.rhythm is Rhythm.STEADY
