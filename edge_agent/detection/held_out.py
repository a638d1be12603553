"""Scores of normal windows by detectors that were not fitted on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.calibration import PredictiveTail, log_score
from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.fusion import Member, Part, fuse
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.registry import DETECTORS

FloatArray = NDArray[np.float64]

MAX_FOLDS = 12
MIN_RECORDINGS = 3
FUSED_SPREAD = 0.85
FUSED_SPREAD_STRENGTH = 2.0
_STRETCHES = 10


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Held-out results of normal windows.

    Attributes:
        weights: By detector, its share in the fused score: the type's, and how far this machine is one for it.
        log_scores: By detector, `[n]`; NaN where the detector found nothing to look at.
        recordings: `[n]`, the recording of each window.
    """

    weights: Mapping[str, float]
    log_scores: Mapping[str, FloatArray]
    recordings: NDArray[np.int64]


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


def folds(recordings: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Masks `[n]` of the windows to hold out together: every recording once, none split, neighbours together.

    Recordings come in order of time, or of name, and neighbours are often cut from one session. Held out one by one,
    each would be judged by detectors that heard its own session: on 30 clips of 10 flights 29 % of the windows of other
    flights then exceed what 10 % should; with neighbours held out together it is 15 %.
    """
    numbers = np.unique(recordings)
    for part in np.array_split(numbers, min(MAX_FOLDS, len(numbers))):
        yield np.isin(recordings, part)


def cross_validate(training: TrainingSet, prior: TypePrior, rng: np.random.Generator) -> HeldOut:
    """Score every window by detectors fitted on the other recordings."""
    weights = {name: prior.of(name).weight * kind.relevance(training) for name, kind in DETECTORS.items()}
    scores = {name: np.full(len(training.windows), np.nan) for name, weight in weights.items() if weight > 0}
    for held in folds(training.recordings):
        rest = training.subset(~held)
        for name, values in scores.items():
            detector = DETECTORS[name].fit(rest, prior.of(name), rng)
            if detector is None:
                continue
            for index in np.flatnonzero(held):
                score = detector.score(training.windows[index])
                values[index] = np.nan if score is None else log_score(score)
    return HeldOut(weights, {n: s for n, s in scores.items() if np.isfinite(s).any()}, training.recordings)


def calibrate(held: HeldOut, prior: TypePrior) -> dict[str, PredictiveTail]:
    """The distribution of each detector's normal scores."""
    return {name: _tail(values, held.recordings, prior, name) for name, values in held.log_scores.items()}


def fused_values(held: HeldOut, prior: TypePrior) -> FloatArray:
    """Fused value of each window, `[n]`, NaN where no detector found anything.

    Each window's z come from calibrations without its own recording: a calibration that saw the window would
    call it more ordinary than a new one.
    """
    fused = np.full(len(held.recordings), np.nan)
    for recording in np.unique(held.recordings):
        inside = held.recordings == recording
        tails = {
            name: _tail(values[~inside], held.recordings[~inside], prior, name)
            for name, values in held.log_scores.items()
            if np.isfinite(values[~inside]).any()
        }
        for index in np.flatnonzero(inside):
            parts = [
                Part(name, 0.0, tail.standardise(float(held.log_scores[name][index])), 0.0, held.weights[name])
                for name, tail in tails.items()
                if np.isfinite(held.log_scores[name][index])
            ]
            if parts:
                fused[index] = fuse(parts)
    return fused


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
