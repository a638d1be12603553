"""Resampling: right, and independent of the split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.signal.resample import StreamResampler, rescale_position
from edge_agent.signal.settings import SignalError


def _resample(samples: np.ndarray, rate_hz: int, cuts: list[int]) -> np.ndarray:
    resampler = StreamResampler(rate_hz)
    parts = [resampler.push(part) for part in np.split(samples, sorted(cuts))]
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_keeps_its_frequency_level_and_length(rate_hz: int) -> None:
    t = np.arange(2 * rate_hz) / rate_hz
    out = _resample((0.5 * np.sin(2 * np.pi * 1_000 * t)).astype(np.float32), rate_hz, [])
    assert abs(len(out) - 32_000) <= 1
    middle = out[8_000:24_000]
    expected = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(8_000, 24_000) / 16_000)
    np.testing.assert_allclose(middle, expected, atol=2e-3)


def test_what_the_target_cannot_hold_is_removed() -> None:
    t = np.arange(96_000) / 48_000
    out = _resample((0.5 * np.sin(2 * np.pi * 11_000 * t)).astype(np.float32), 48_000, [])
    assert np.abs(out[2_000:-2_000]).max() < 1e-4


@settings(max_examples=25, deadline=None)
@given(rate_hz=st.sampled_from([8_000, 44_100, 48_000]), cuts=st.lists(st.integers(0, 30_000), max_size=40))
def test_any_split_gives_the_same_bits(rate_hz: int, cuts: list[int]) -> None:
    samples = np.random.default_rng(5).standard_normal(30_000).astype(np.float32)
    assert _resample(samples, rate_hz, cuts).tobytes() == _resample(samples, rate_hz, []).tobytes()


@pytest.mark.parametrize("rate_hz", [3, 7_999, 192_001, 10_000_000])
def test_absurd_rates_are_refused(rate_hz: int) -> None:
    with pytest.raises(SignalError, match=str(rate_hz)):
        StreamResampler(rate_hz)


@given(st.integers(0, 2**50), st.integers(1, 10**6), st.sampled_from([8_000, 11_025, 44_100, 48_000, 192_000]))
def test_ranges_that_touch_stay_touching_at_another_rate(first: int, n: int, rate_hz: int) -> None:
    start, middle, stop = (
        rescale_position(p, from_rate_hz=16_000, to_rate_hz=rate_hz) for p in (first, first + n, first + 2 * n)
    )
    assert start <= middle <= stop
    assert abs((stop - start) - 2 * n * rate_hz / 16_000) <= 1


def test_a_position_is_exact_after_years() -> None:
    ten_years = 10 * 365 * 86_400
    assert rescale_position(ten_years * 16_000 + 1, from_rate_hz=16_000, to_rate_hz=192_000) == ten_years * 192_000 + 12
