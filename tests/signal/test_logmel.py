"""Parity with librosa, and frames whose bits do not depend on how the samples arrived."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.signal.logmel import LogMelStream, log_mel_db
from edge_agent.signal.mel import hz_to_mel, mel_to_hz, slaney_mel_filters
from edge_agent.signal.settings import SignalError, SignalSettings

SETTINGS = SignalSettings()


def _golden_signal() -> np.ndarray:
    rng = np.random.default_rng(7)
    t = np.arange(48_000) / 16_000
    tones = 0.1 * np.sin(2 * np.pi * 440 * t) + 0.01 * np.sin(2 * np.pi * 3_000 * t**2)
    return (tones + 0.003 * rng.standard_normal(len(t))).astype(np.float32)


def test_filters_equal_librosa() -> None:
    theirs = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=128, fmin=0, fmax=8_000, htk=False, norm="slaney")
    np.testing.assert_allclose(slaney_mel_filters(SETTINGS), theirs, rtol=2e-7, atol=1e-10)


def test_log_mel_equals_librosa_on_the_golden_vector() -> None:
    samples = _golden_signal()
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=16_000, n_fft=1024, hop_length=512, n_mels=128, center=False, power=2.0
    )
    theirs = 10.0 * np.log10(np.maximum(power.T, 1e-10))
    ours = log_mel_db(samples)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape == (92, 128)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)
    filters = 10.0 * np.log10(np.maximum(slaney_mel_filters(SETTINGS), 1e-10))
    librosa_filters = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=128)
    np.testing.assert_allclose(filters, 10.0 * np.log10(np.maximum(librosa_filters, 1e-10)), rtol=0, atol=1e-5)


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel_db(np.zeros(16_000, np.float32)), -100.0, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 48_000), max_size=60), length=st.integers(0, 48_000))
def test_any_split_gives_the_same_bits(cuts: list[int], length: int) -> None:
    samples = _golden_signal()[:length]
    whole = log_mel_db(samples)
    stream = LogMelStream(SETTINGS)
    groups = []
    for part in np.split(samples, sorted(c for c in cuts if c <= length)):
        groups.extend(stream.push(part))
    groups.append(stream.partial_frames())
    assert np.concatenate(groups).tobytes() == whole.tobytes()


def test_single_samples_give_the_same_bits() -> None:
    samples = _golden_signal()[:20_000]
    stream = LogMelStream(SETTINGS)
    groups = [group for i in range(len(samples)) for group in stream.push(samples[i : i + 1])]
    groups.append(stream.partial_frames())
    assert np.concatenate(groups).tobytes() == log_mel_db(samples).tobytes()


def test_a_partial_group_has_the_bits_of_the_whole_one() -> None:
    samples = _golden_signal()
    stream = LogMelStream(SETTINGS)
    assert not list(stream.push(samples[:9_000]))
    partial = stream.partial_frames()
    (group,) = stream.push(samples[9_000:17_000])
    assert len(partial) == (9_000 - 1024) // 512 + 1
    assert partial.tobytes() == group[: len(partial)].tobytes()


def test_mel_scale_inverts() -> None:
    frequencies = np.linspace(0, 8_000, 999)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(frequencies)), frequencies, atol=1e-9)


@pytest.mark.parametrize(
    "wrong", [{"hop_samples": 500}, {"patch_hop_frames": 33}, {"f_max_hz": 9_000.0}, {"f_min_hz": 8_000.0}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SignalError):
        SignalSettings(**wrong)


def test_hash_changes_with_every_setting() -> None:
    assert SignalSettings().hash == SignalSettings().hash
    assert SignalSettings(power_floor=1e-9).hash != SignalSettings().hash
