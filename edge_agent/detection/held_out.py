"""Scores of normal windows by detectors that were not fitted on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.calibration import PredictiveTail, log_score
from edge_agent.detection.detector import Detector, TrainingSet
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.fusion import Member, Part, fuse
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.registry import DETECTORS
from edge_agent.detection.sessions import independent_recordings, session_correlation

FloatArray = NDArray[np.float64]

MAX_FOLDS = 12
MIN_RECORDINGS = 3
MIN_FOLDS = 3
FUSED_SPREAD = 0.75
FUSED_SPREAD_STRENGTH = 2.0
_STRETCHES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Windows that were held out together, and the detectors that never heard them.

    Attributes:
        held: `[n]`, the windows.
        detectors: By name.
    """

    held: NDArray[np.bool_]
    detectors: Mapping[str, Detector]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Held-out results of normal windows.

    Attributes:
        weights: By detector, its share in the fused score: the type's, and how far this machine is one for it.
        log_scores: By detector, `[n]`; NaN where the detector found nothing to look at.
        recordings: `[n]`, the recording of each window.
        session_correlation: How alike neighbouring recordings are.
        folds: What was held out together.
    """

    weights: Mapping[str, float]
    log_scores: Mapping[str, FloatArray]
    recordings: NDArray[np.int64]
    session_correlation: float
    folds: tuple[Fold, ...]


def stretches(recordings: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the parts that stay together when windows are held out, `[n]` to `[n]`.

    Recordings, where there are at least three. One long recording is cut into ten stretches of neighbouring windows.

    >>> stretches(np.array([0, 0, 0, 0, 0, 0])).tolist(), stretches(np.array([7, 7, 9, 4])).tolist()
    ([0, 1, 2, 3, 4, 5], [1, 1, 2, 0])
    """
    _, numbers = np.unique(recordings, return_inverse=True)
    numbers = numbers.astype(np.int64)
    if len(numbers) and numbers.max() + 1 >= MIN_RECORDINGS:
        return numbers
    length = -(-len(numbers) // _STRETCHES)
    parts = numbers * len(numbers) + np.arange(len(numbers)) // length
    return np.asarray(np.unique(parts, return_inverse=True)[1], np.int64)


def folds(recordings: NDArray[np.int64], parts: int = MAX_FOLDS) -> Iterator[NDArray[np.bool_]]:
    """Masks `[n]` of the windows to hold out together: every recording once, none split, neighbours together.

    Recordings come in order of time, or of name, and neighbours are often cut from one session. Held out one by one,
    each would be judged by detectors that heard its own session: on 30 clips of 10 flights 29 % of the windows of other
    flights then exceed what 10 % should; with neighbours held out together it is 15 %.

    Args:
        recordings: `[n]`, the recording of each window.
        parts: Into how many parts to divide the recordings, at most.
    """
    numbers = np.unique(recordings)
    for part in np.array_split(numbers, min(parts, len(numbers))):
        yield np.isin(recordings, part)


def cross_validate(training: TrainingSet, prior: TypePrior, rng: np.random.Generator) -> HeldOut:
    """Score every window by detectors fitted on the other recordings.

    The more neighbouring recordings are alike, the fewer and longer are the parts that are held out: about as many as
    there are independent recordings.
    """
    weights = {name: prior.of(name).weight * kind.relevance(training) for name, kind in DETECTORS.items()}
    scores = {name: np.full(len(training.windows), np.nan) for name, weight in weights.items() if weight > 0}
    correlation = session_correlation(training)
    independent = independent_recordings(len(np.unique(training.recordings)), correlation)
    parts = int(np.clip(round(independent), MIN_FOLDS, MAX_FOLDS))
    done = []
    for held in folds(training.recordings, parts):
        rest = training.subset(~held)
        fitted = {name: DETECTORS[name].fit(rest, prior.of(name), rng) for name in scores}
        fold = Fold(held, {name: detector for name, detector in fitted.items() if detector is not None})
        for name, detector in fold.detectors.items():
            scores[name][held] = [_value(detector, training.windows[i]) for i in np.flatnonzero(held)]
        done.append(fold)
    found = {name: values for name, values in scores.items() if np.isfinite(values).any()}
    return HeldOut(weights, found, training.recordings, correlation, tuple(done))


def _value(detector: Detector, window: WindowFeatures) -> float:
    score = detector.score(window)
    return math.nan if score is None else log_score(score)


def calibrate(held: HeldOut, prior: TypePrior) -> dict[str, PredictiveTail]:
    """The distribution of each detector's normal scores."""
    return {name: _tail(values, held.recordings, prior, name) for name, values in held.log_scores.items()}


def fused_values(held: HeldOut, prior: TypePrior) -> FloatArray:
    """Fused value of each window, `[n]`, NaN where no detector found anything.

    Each window's z come from calibrations without its own recording: a calibration that saw the window would
    call it more ordinary than a new one.
    """
    places = [np.array([i]) for i in range(len(held.recordings))]
    return _fused(held, prior, held.log_scores, places)


def fused_copies(
    held: HeldOut, prior: TypePrior, copies: Mapping[int, Sequence[WindowFeatures]]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Fused values of changed copies of windows, each judged as its window is: by what never heard its recording.

    Args:
        held: Held-out results of the windows.
        prior: The type's.
        copies: By the window's place, changed copies of it.

    Returns:
        Values `[copies]`, NaN where no detector found anything, and the place of each copy's window.
    """
    owners = np.array([place for place, changed in copies.items() for _ in changed], np.int64)
    windows = [window for changed in copies.values() for window in changed]
    scores = {name: np.full(len(windows), np.nan) for name in held.log_scores}
    for fold in held.folds:
        for index in np.flatnonzero(fold.held[owners]):
            for name in scores.keys() & fold.detectors.keys():
                scores[name][index] = _value(fold.detectors[name], windows[index])
    places = [np.flatnonzero(owners == place) for place in range(len(held.recordings))]
    return _fused(held, prior, scores, places), owners


def _fused(
    held: HeldOut, prior: TypePrior, scores: Mapping[str, FloatArray], places: Sequence[NDArray[np.intp]]
) -> FloatArray:
    """Fused values of `scores`, whose places for each window are given."""
    fused = np.full(len(next(iter(scores.values()), ())), np.nan)
    for recording in np.unique(held.recordings):
        inside = held.recordings == recording
        tails = {
            name: _tail(values[~inside], held.recordings[~inside], prior, name)
            for name, values in held.log_scores.items()
            if np.isfinite(values[~inside]).any()
        }
        for index in np.concatenate([places[window] for window in np.flatnonzero(inside).tolist()]):
            parts = [
                Part(name, 0.0, tail.standardise(float(scores[name][index])), 0.0, held.weights[name])
                for name, tail in tails.items()
                if np.isfinite(scores[name][index])
            ]
            if parts:
                fused[index] = fuse(parts)
    return fused


def fused_tail(
    held: HeldOut,
    values: FloatArray,
    recordings: NDArray[np.int64],
    *,
    prior_spread: float = FUSED_SPREAD,
) -> PredictiveTail:
    """Distribution of fused values.

    Args:
        held: Where they are from.
        values: `[n]`, finite.
        recordings: `[n]`, the recording of each.
        prior_spread: Spread to expect.
    """
    return PredictiveTail.fit(
        values,
        recordings,
        prior_spread=prior_spread,
        prior_strength=FUSED_SPREAD_STRENGTH,
        session_correlation=held.session_correlation,
    )


def fit_members(training: TrainingSet, prior: TypePrior, held: HeldOut, rng: np.random.Generator) -> tuple[Member, ...]:
    """Detectors fitted on all windows, calibrated on the held-out scores."""
    members = []
    for name, tail in calibrate(held, prior).items():
        detector = DETECTORS[name].fit(training, prior.of(name), rng)
        if detector is not None:
            members.append(Member(detector, tail, held.weights[name]))
    return tuple(members)


def _tail(values: FloatArray, recordings: NDArray[np.int64], prior: TypePrior, name: str) -> PredictiveTail:
    known = np.isfinite(values)
    own = prior.of(name)
    return PredictiveTail.fit(
        values[known], recordings[known], prior_spread=own.spread, prior_strength=own.spread_strength
    )
