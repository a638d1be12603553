"""Which machine a window sounds like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "unknown"
TOP = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One identity and the probability given to it."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Identity:
    """The encoder's word on one window.

    Attributes:
        label: The likeliest identity, or `unknown` where its confidence is below the calibrated limit.
        confidence: Probability of the likeliest identity, 0 to 1.
        top: The likeliest identities, best first.
    """

    label: str
    confidence: float
    top: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class IdentityCalibration:
    """What turns logits into probabilities that can be trusted.

    Attributes:
        temperature: Divides the logits (Guo et al. 2017, On Calibration of Modern Neural Networks).
        min_confidence: Below it the answer is `unknown`.
    """

    temperature: float = 1.0
    min_confidence: float = 0.5


class Identifier:
    """Names windows by the mean of their patches' logits."""

    def __init__(self, labels: tuple[str, ...], calibration: IdentityCalibration) -> None:
        self._labels = labels
        self._calibration = calibration

    def identify(self, logits: NDArray[np.float32]) -> Identity | None:
        """Identity of one window.

        Args:
            logits: `[patches, labels]`.

        Returns:
            None where the window holds no whole patch or the bundle knows no identities.
        """
        if logits.size == 0:
            return None
        scaled = logits.mean(axis=0, dtype=np.float64) / self._calibration.temperature
        weights = np.exp(scaled - scaled.max())
        probabilities = weights / weights.sum()
        order = np.argsort(-probabilities, kind="stable")[:TOP]
        top = tuple(Candidate(self._labels[i], float(probabilities[i])) for i in order)
        known = top[0].confidence >= self._calibration.min_confidence
        return Identity(top[0].label if known else UNKNOWN, top[0].confidence, top)
