from itertools import pairwise

import numpy as np
import pytest

from edge_agent.detection.third_octave import NOMINAL_HZ, ThirdOctaves, edges_hz, exact_hz
from edge_agent.signal.mel import mel_centres_hz
from edge_agent.signal.settings import SignalSettings


def test_nominal_names_are_close_to_exact_centres() -> None:
    assert all(abs(exact_hz(nominal) / nominal - 1) < 0.02 for nominal in NOMINAL_HZ)


def test_edges_meet() -> None:
    for lower, upper in pairwise(NOMINAL_HZ):
        assert edges_hz(lower)[1] == pytest.approx(edges_hz(upper)[0])


def test_mel_bands_lie_within_their_third_octave() -> None:
    bands, centres = ThirdOctaves(), mel_centres_hz(SignalSettings())
    for nominal in bands.centres_hz[1:]:
        low, high = edges_hz(nominal)
        own = centres[bands.mel_bands(nominal)]
        assert len(own) and own.min() >= low * 0.9999 and own.max() <= high * 1.0001


def test_sums_keep_the_total_and_means_the_value() -> None:
    bands, values = ThirdOctaves(), np.random.default_rng(0).normal(size=128)
    assert bands.sums(values).sum() == pytest.approx(values.sum())
    assert bands.means(np.full(128, 3.0)) == pytest.approx(3.0)
    assert sum(len(bands.mel_bands(centre)) for centre in bands.centres_hz) == 128
