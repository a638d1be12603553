import numpy as np
import pytest

from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.held_out import cross_validate, folds, fused_values, stretches
from edge_agent.detection.registry import DETECTORS
from tests.detection import sounds


@pytest.mark.parametrize("recordings", [np.arange(40), np.repeat(np.arange(5), 7), np.array([0, 0, 1, 2, 2, 2])])
def test_every_window_is_held_out_once_and_no_recording_is_split(recordings: np.ndarray) -> None:
    masks = list(folds(recordings))
    assert np.array_equal(np.sum(masks, axis=0), np.ones(len(recordings)))
    for mask in masks:
        assert not set(recordings[mask]) & set(recordings[~mask])


@pytest.mark.parametrize(("windows", "parts"), [(30, 10), (3, 3), (60, 10), (11, 6)])
def test_one_long_recording_is_cut_into_neighbours(windows: int, parts: int) -> None:
    numbers = stretches(np.zeros(windows, np.int64))
    assert numbers.max() + 1 == parts
    assert (np.diff(numbers) >= 0).all()


def test_held_out_scores_are_higher_than_resubstituted_ones() -> None:
    """The trap that makes thresholds worthless: scores of windows that the detector has seen."""
    windows = tuple(sounds.window(k) for k in range(8))
    training = TrainingSet(windows, np.arange(8), np.zeros(8, np.int64))
    own = sounds.prior(shape=1.0)
    held = cross_validate(training, own, np.random.default_rng(0))
    detector = DETECTORS["shape"].fit(training, own.of("shape"), np.random.default_rng(0))
    assert detector is not None
    seen = [detector.score(window) for window in windows]
    assert np.mean(np.exp(held.log_scores["shape"])) > 1.1 * np.mean(seen)  # type: ignore[arg-type]


def test_only_detectors_with_weight_are_fitted() -> None:
    windows = tuple(sounds.window(k) for k in range(4))
    training = TrainingSet(windows, np.arange(4), np.zeros(4, np.int64))
    held = cross_validate(training, sounds.prior(shape=1.0, texture=0.0), np.random.default_rng(0))
    assert set(held.log_scores) == {"shape"}
    assert np.isfinite(fused_values(held, sounds.prior(shape=1.0))).all()


def test_neighbours_are_held_out_together() -> None:
    masks = list(folds(np.repeat(np.arange(24), 2)))
    assert len(masks) == 12
    assert [np.flatnonzero(mask).tolist() for mask in masks[:2]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
