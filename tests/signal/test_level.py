"""Levels and input condition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.signal.level import InputMeter, LevelReading

RATE = 16_000


def _read(samples: np.ndarray) -> LevelReading:
    meter = InputMeter(RATE, keep_s=10.0)
    meter.push(samples.astype(np.float32))
    reading = meter.reading(0, len(samples))
    assert reading is not None
    return reading


T = np.arange(2 * RATE) / RATE
NOISE = np.random.default_rng(1).standard_normal(2 * RATE) * 0.05


def test_a_sine_of_half_scale() -> None:
    reading = _read(0.5 * np.sin(2 * np.pi * 500 * T))
    assert reading.rms_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
    assert reading.peak_dbfs == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert reading.clipped_fraction == 0.0


def test_silence_has_no_level() -> None:
    reading = _read(np.zeros(RATE))
    assert (reading.rms_dbfs, reading.peak_dbfs, reading.used_bits) == (None, None, 0)
    assert reading.repeated_fraction > 0.99


def test_dc_is_told_apart_from_level() -> None:
    reading = _read(NOISE + 0.25)
    assert reading.dc == pytest.approx(0.25, abs=1e-3)
    assert reading.rms_dbfs == pytest.approx(20 * math.log10(0.05), abs=0.1)


def test_clipping_is_counted() -> None:
    assert _read(np.clip(40 * NOISE, -1, 1)).clipped_fraction > 0.5


def test_frozen_low_bits_are_seen() -> None:
    coarse = np.round(NOISE * 128) * 256 / 32_768
    assert _read(NOISE).used_bits == 16
    assert _read(coarse).used_bits == 8


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, len(NOISE)), max_size=20))
def test_any_split_gives_the_same_reading(cuts: list[int]) -> None:
    samples = NOISE.astype(np.float32)
    meter = InputMeter(RATE, keep_s=10.0)
    for part in np.split(samples, sorted(cuts)):
        meter.push(part)
    ours, whole = meter.reading(3_000, 30_000), _read(samples)
    reference = InputMeter(RATE, keep_s=10.0)
    reference.push(samples)
    theirs = reference.reading(3_000, 30_000)
    assert ours is not None and theirs is not None and whole is not None
    assert ours == theirs


@pytest.mark.parametrize("scale", [0.05, 3.0], ids=["quiet", "clipped"])
@pytest.mark.parametrize("block", [700, 1_600, 9_000, 33_000])
def test_known_borders_change_no_reading(block: int, scale: float) -> None:
    samples = np.clip(scale * 20 * NOISE, -1.0, 1.0).astype(np.float32)
    samples[20_000:21_000] = 0.25
    every, known = InputMeter(RATE, 10.0), InputMeter(RATE, 10.0, lambda position: (position // 7_000 + 1) * 7_000)
    for first in range(0, len(samples), block):
        part = samples[first : first + block]
        every.push(part)
        known.push(part, float(np.abs(part).max()))
    for start, stop in ((0, 7_000), (7_000, 21_000), (14_000, 28_000), (28_000, len(samples))):
        reading = known.reading(start, stop)
        assert reading is not None and reading == every.reading(start, stop)


def test_a_reading_between_the_known_borders_has_the_exact_level() -> None:
    samples = NOISE.astype(np.float32)
    samples[:1_000] = 1.0
    every, known = InputMeter(RATE, 10.0), InputMeter(RATE, 10.0, lambda position: (position // 16_000 + 1) * 16_000)
    every.push(samples)
    known.push(samples)
    exact, reading = every.reading(8_000, 16_000), known.reading(8_000, 16_000)
    assert exact is not None and reading is not None
    assert (reading.rms_dbfs, reading.dc) == (exact.rms_dbfs, exact.dc)
    assert (reading.peak_dbfs, exact.clipped_fraction) == (0.0, 0.0)
    assert reading.clipped_fraction == pytest.approx(1_000 / 15_872)  # of the stretch that it cuts


def test_after_a_gap_the_chunk_grid_goes_on() -> None:
    samples = NOISE.astype(np.float32)
    meter = InputMeter(RATE, keep_s=10.0)
    meter.push(samples[:10_000])
    meter.skip(12_345)
    meter.push(samples[12_345:])
    assert meter.reading(0, 12_345) is None
    whole = InputMeter(RATE, keep_s=10.0)
    whole.push(samples)
    after, reference = meter.reading(13_000, 30_000), whole.reading(13_000, 30_000)
    assert after is not None and reference is not None
    assert after.rms_dbfs == reference.rms_dbfs


def test_only_the_last_seconds_are_kept() -> None:
    meter = InputMeter(RATE, keep_s=1.0)
    for _ in range(5):
        meter.push(NOISE.astype(np.float32))
    assert meter.reading(0, 2 * RATE) is None
    assert meter.reading(9 * RATE, 10 * RATE) is not None
