"""From scores to probabilities: how rare is this value among normal windows that no detector was fitted on."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.budget import normal_quantile
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.sessions import independent_recordings
from edge_agent.detection.tails import student_log10_sf, student_quantile

FloatArray = NDArray[np.float64]

_SMALLEST_SCORE = 1e-9
_MIN_SPREAD = 0.01
_SMALLEST_ROOT = 0.05
_EQUAL_Z = np.array([-normal_quantile((i + 0.5) / 31) for i in range(31)])


def log_score(score: float) -> float:
    """Natural logarithm of a detector's score: distances of normal windows are then nearly normally distributed."""
    return math.log(max(score, _SMALLEST_SCORE))


@dataclass(frozen=True, slots=True)
class PredictiveTail:
    """Student's predictive distribution of the next normal window's (transformed) score.

    From n held-out values the mean and spread of normal are known but roughly; the distribution of the *next* value is
    Student's t (A. Gelman et al., Bayesian Data Analysis, 3.2), wider the fewer clips there were. A prior from the type
    steadies the spread. The tail falls for ever: two scores never tie.

    Attributes:
        centre: Mean of the held-out values.
        spread: Standard deviation of normal values.
        recordings: How many recordings of different sessions the mean rests on.
        dof: Degrees of freedom that the spread rests on.

    >>> tail = PredictiveTail.fit(np.array([0.1, -0.2, 0.3, 0.0]), np.arange(4), prior_spread=0.2, prior_strength=4)
    >>> round(tail.log10_tail(0.05), 2), tail.log10_tail(50.0) > tail.log10_tail(51.0)
    (-0.3, True)
    """

    centre: float
    spread: float
    recordings: float
    dof: float

    def __post_init__(self) -> None:
        """Refuse what no fit produces."""
        sound = math.isfinite(self.centre) and 0 < self.spread < 1e6 and 1 <= self.recordings < 1e9
        if not sound or not 0.5 <= self.dof < 1e9:
            raise DetectionError(
                f"calibration (centre {self.centre}, spread {self.spread}, {self.recordings} recordings, "
                f"{self.dof} degrees of freedom) is none; commission the machine again"
            )

    @classmethod
    def fit(
        cls,
        values: FloatArray,
        recordings: NDArray[np.int64],
        *,
        prior_spread: float,
        prior_strength: float,
        session_correlation: float = 0.0,
    ) -> "PredictiveTail":
        """Fit on held-out values.

        Args:
            values: `[n]`, transformed scores of windows that the detector was not fitted on.
            recordings: `[n]`, the recording of each: windows of one recording resemble each other, so what counts as
                evidence is the number of recordings.
            prior_spread: Spread that the type expects.
            prior_strength: How many recordings that expectation is worth.
            session_correlation: How alike neighbouring recordings are (see `sessions`): they then count for fewer, and
                what they show of the spread lacks what differs from session to session.
        """
        count = independent_recordings(len(np.unique(recordings)), session_correlation)
        dof = max(prior_strength + count - 1, 1.0)
        variance = float(values.var()) * len(values) / max(1, len(values) - 1)
        pooled = (prior_strength * prior_spread**2 + (count - 1) * variance) / dof / (1.0 - session_correlation)
        return cls(float(values.mean()), math.sqrt(max(pooled, _MIN_SPREAD**2)), float(count), float(dof))

    @property
    def scale(self) -> float:
        """Scale of the predictive distribution: the spread, and the doubt about the mean."""
        return self.spread * math.sqrt(1.0 + 1.0 / self.recordings)

    def standardise(self, value: float) -> float:
        """How many spreads a value lies above the mean."""
        return (value - self.centre) / self.spread

    def log10_tail(self, value: float) -> float:
        """log10 of the probability that a normal window's value is higher."""
        return student_log10_sf((value - self.centre) / self.scale, self.dof)

    def value_at(self, log10_tail: float) -> float:
        """The value that a normal window exceeds with this probability."""
        return self.centre + self.scale * student_quantile(log10_tail, self.dof)

    def plausible(self) -> tuple[FloatArray, FloatArray]:
        """Means and spreads that the held-out values allow, equally likely each, `[961]`.

        The posterior of a normal distribution's mean and variance on a grid of equal probabilities; quantiles of
        chi-squared after E. B. Wilson and M. M. Hilferty (Proc. Nat. Acad. Sciences 17, 1931, 684).
        """
        z = _EQUAL_Z
        chi = np.maximum(1.0 - 2.0 / (9.0 * self.dof) + z * math.sqrt(2.0 / (9.0 * self.dof)), _SMALLEST_ROOT) ** 3
        spreads = np.repeat(self.spread / np.sqrt(chi), len(z))
        return self.centre + spreads / math.sqrt(self.recordings) * np.tile(z, len(z)), spreads


def neighbour_correlation(values: FloatArray, recordings: NDArray[np.int64]) -> float:
    """Correlation of neighbouring windows' values, from recordings of more than one window.

    Shrunk towards a cautious 0.3, worth 20 pairs, as short recordings tell little.
    """
    centred = values - values.mean()
    pairs = recordings[1:] == recordings[:-1]
    count = int(pairs.sum())
    variance = float((centred**2).mean())
    found = float((centred[1:] * centred[:-1])[pairs].mean()) / variance if count and variance > 0 else 0.0
    return float(np.clip((count * found + 20 * 0.3) / (count + 20), 0.0, 0.95))
