import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.signal.logmel import log_mel_db
from training_hub.evaluation import mixing
from training_hub.evaluation.errors import EvaluationError


def sound(seed: int, count: int = 32_000, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@given(st.floats(-30, 40), st.floats(-60, 0), st.integers(0, 20))
def test_the_mix_has_the_ratio_asked_for(snr_db: float, level_db: float, seed: int) -> None:
    signal, noise = sound(seed), mixing.with_gain(sound(seed + 100), level_db)
    added = mixing.mix_at_snr(signal, noise, snr_db).astype(np.float64) - signal
    found = 10 * np.log10(mixing.power(signal) / np.mean(added**2))
    assert found == pytest.approx(snr_db, abs=0.01)


@given(st.floats(-60, -10))
def test_a_level_is_reached(level_dbfs: float) -> None:
    assert 10 * np.log10(mixing.power(mixing.at_level(sound(1), level_dbfs))) == pytest.approx(level_dbfs, abs=1e-3)


def test_silence_cannot_be_levelled_or_mixed() -> None:
    silence = np.zeros(100, np.float32)
    with pytest.raises(EvaluationError, match="silence"):
        mixing.at_level(silence)
    with pytest.raises(EvaluationError, match="silent"):
        mixing.mix_at_snr(sound(0, 100), silence, 0.0)
    with pytest.raises(EvaluationError, match="lengths differ"):
        mixing.mix_at_snr(sound(0, 100), sound(1, 90), 0.0)


def test_a_short_sound_is_repeated_and_a_seed_repeats_itself() -> None:
    short = np.arange(5, dtype=np.float32)
    found = mixing.fit_length(short, 12, np.random.default_rng(3))
    assert len(found) == 12
    assert np.array_equal(np.diff(found) % 5, np.ones(11))
    assert np.array_equal(found, mixing.fit_length(short, 12, np.random.default_rng(3)))


def test_tilt_turns_about_a_kilohertz() -> None:
    tones = {hz: np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000).astype(np.float32) for hz in (500, 1000, 4000)}
    change_db = {
        hz: 10 * np.log10(mixing.power(mixing.with_tilt(tone, 2.0)) / mixing.power(tone)) for hz, tone in tones.items()
    }
    assert [change_db[hz] for hz in (500, 1000, 4000)] == pytest.approx([-2, 0, 4], abs=0.02)


def test_flat_noise_on_frames_is_like_flat_noise_on_samples() -> None:
    signal = sound(5, 160_000)
    frames = log_mel_db(signal)
    noisy_sound = log_mel_db(mixing.mix_at_snr(signal, mixing.white_noise(160_000, np.random.default_rng(6)), 0.0))
    noisy_frames = mixing.log_mel_with_flat_noise(frames, 0.0, np.random.default_rng(7))
    powers = [10.0 ** (frames.astype(float) / 10.0) for frames in (noisy_frames, noisy_sound)]
    bands_db = [10 * np.log10(power.mean(axis=0)) for power in powers]
    np.testing.assert_allclose(bands_db[0], bands_db[1], atol=0.6)
    assert 10 * np.log10(powers[0].mean() / powers[1].mean()) == pytest.approx(0, abs=0.05)


def test_frames_mix_at_the_ratio_asked_for() -> None:
    signal, noise = log_mel_db(sound(1)), log_mel_db(sound(2, level=0.3))
    mixed = mixing.log_mel_mix(signal, noise, 3.0, np.random.default_rng(0))
    added = 10 ** (mixed.astype(float) / 10) - 10 ** (signal.astype(float) / 10)
    ratio = np.mean(10 ** (signal.astype(float) / 10)) / np.mean(added)
    assert 10 * np.log10(ratio) == pytest.approx(3.0, abs=0.1)


def test_tilt_of_frames_is_the_tilt_of_the_sound() -> None:
    signal = sound(4, 160_000)
    expected = log_mel_db(mixing.with_tilt(signal, 1.0))
    found = mixing.log_mel_with_tilt(log_mel_db(signal), 1.0)
    np.testing.assert_allclose(found[:, 4:].mean(axis=0), expected[:, 4:].mean(axis=0), atol=0.2)
