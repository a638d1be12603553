"""Figures of merit with intervals: what is reported, and nothing that was not held out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation.errors import EvaluationError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_FPR = 0.1


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """Scores of test clips under one fitted system.

    Attributes:
        scores: `[n]`, grows with abnormality.
        anomalous: `[n]`.
        groups: `[n]`, the recording of each.
    """

    scores: FloatArray
    anomalous: BoolArray
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse scores that cannot be compared."""
        n = len(self.scores)
        if self.scores.shape != (n,) or self.anomalous.shape != (n,) or len(self.groups) != n:
            raise EvaluationError(f"{n} scores, {self.anomalous.shape} labels, {len(self.groups)} groups do not match")
        if not np.isfinite(self.scores).all():
            raise EvaluationError(f"{int((~np.isfinite(self.scores)).sum())} of {n} scores are not finite")

    @property
    def has_both(self) -> bool:
        """Whether an AUC can be told."""
        return bool(self.anomalous.any() and not self.anomalous.all())


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval; no interval where one of the classes is a single recording."""

    value: float
    low: float | None
    high: float | None


def auc(anomalous: BoolArray, scores: FloatArray, weights: FloatArray | None = None) -> float:
    """Area under the ROC curve: the chance that an anomalous clip scores above a normal one; ties count half.

    Args:
        anomalous: `[n]`.
        scores: `[n]`.
        weights: `[n]`, how often each clip counts; once where not given.

    >>> auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    fpr, tpr = roc(anomalous, scores, weights)
    return _area(fpr, tpr)


def partial_auc(
    anomalous: BoolArray, scores: FloatArray, weights: FloatArray | None = None, *, max_fpr: float = MAX_FPR
) -> float:
    """Area up to a false-positive rate, standardised so that chance is 0.5 and perfection 1.

    D. K. McClish, Analyzing a portion of the ROC curve, Medical Decision Making 9 (1989) 190-195.

    >>> partial_auc(np.array([False] * 10 + [True] * 10), np.arange(20.0))
    1.0
    """
    fpr, tpr = roc(anomalous, scores, weights)
    stop = int(np.searchsorted(fpr, max_fpr, side="right"))
    at_limit = np.interp(max_fpr, fpr, tpr) if stop == len(fpr) or fpr[stop - 1] < max_fpr else tpr[stop - 1]
    area = _area(np.append(fpr[:stop], max_fpr), np.append(tpr[:stop], at_limit))
    worst = 0.5 * max_fpr**2
    return 0.5 * (1.0 + (area - worst) / (max_fpr - worst))


def roc(anomalous: BoolArray, scores: FloatArray, weights: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """False- and true-positive rates at every distinct threshold, from (0, 0) to (1, 1).

    Raises:
        EvaluationError: One of the classes is empty.
    """
    count = np.ones(len(scores)) if weights is None else weights
    positives, negatives = float(count[anomalous].sum()), float(count[~anomalous].sum())
    if positives <= 0 or negatives <= 0:
        raise EvaluationError("a ROC curve needs normal and anomalous clips")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # one point per distinct score
    hits = np.where(anomalous, count, 0.0)[order].cumsum()[last]
    false = np.where(anomalous, 0.0, count)[order].cumsum()[last]
    return np.append(0.0, false / negatives), np.append(0.0, hits / positives)


def _area(x: FloatArray, y: FloatArray) -> float:
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2.0)


Statistic = Callable[[BoolArray, FloatArray, FloatArray | None], float]


def bootstrap(
    draws: Sequence[ScoreSet], statistic: Statistic, rng: np.random.Generator, *, rounds: int = 200
) -> Interval:
    """Mean of a statistic over draws with the interval that drawing other recordings would give.

    Recordings are drawn with replacement, normal and anomalous ones apart, and all clips of a recording together; a
    recording counts alike in every draw that tests on it.

    Args:
        draws: One set of scores per draw.
        statistic: `auc` or `partial_auc`.
        rng: Draws recordings.
        rounds: How many times.
    """
    value = float(np.mean([statistic(draw.anomalous, draw.scores, None) for draw in draws]))
    strata = [sorted({group for draw in draws for group in _keys(draw, anomalous)}) for anomalous in (False, True)]
    if min(map(len, strata)) < 2:
        return Interval(value, None, None)
    place = {group: i for i, group in enumerate([*strata[0], *strata[1]])}
    rows = [np.array([place[group] for group in _all_keys(draw)]) for draw in draws]
    found = []
    for _ in range(rounds):
        counts = np.concatenate(
            [rng.multinomial(len(stratum), np.full(len(stratum), 1.0 / len(stratum))) for stratum in strata]
        ).astype(np.float64)
        values = []
        for draw, row in zip(draws, rows, strict=True):
            weights = counts[row]
            if weights[draw.anomalous].sum() > 0 and weights[~draw.anomalous].sum() > 0:
                values.append(statistic(draw.anomalous, draw.scores, weights))
        if values:
            found.append(float(np.mean(values)))
    low, high = np.percentile(found, [2.5, 97.5]) if found else (value, value)
    return Interval(value, float(low), float(high))


def _keys(draw: ScoreSet, anomalous: bool) -> list[tuple[bool, str]]:
    return [(a, g) for a, g in _all_keys(draw) if a == anomalous]


def _all_keys(draw: ScoreSet) -> list[tuple[bool, str]]:
    return list(zip(draw.anomalous.tolist(), draw.groups, strict=True))


def group_interval(values: FloatArray, groups: Sequence[str], rng: np.random.Generator, *, rounds: int) -> Interval:
    """Mean of values with the interval that drawing other recordings would give.

    Args:
        values: `[n]`.
        groups: `[n]`, the recording of each; all values of a recording are drawn together.
        rng: Draws recordings.
        rounds: How many times.
    """
    _, places = np.unique(np.array(groups), return_inverse=True)
    count = int(places.max()) + 1
    mean = float(values.mean())
    if count < 2:
        return Interval(mean, None, None)
    sums, sizes = np.bincount(places, weights=values), np.bincount(places)
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=rounds)
    low, high = np.percentile((drawn @ sums) / (drawn @ sizes), [2.5, 97.5])
    return Interval(mean, float(low), float(high))


def rate_factor(realised: float, nominal: float, trials: int) -> float:
    """By what factor a realised false-alarm rate misses the nominal one, at least 1; none at all counts as half a one.

    >>> rate_factor(0.05, 0.1, 100), rate_factor(0.0, 0.1, 100)
    (2.0, 20.0)
    """
    seen = max(realised, 0.5 / trials)
    return max(seen / nominal, nominal / seen)
