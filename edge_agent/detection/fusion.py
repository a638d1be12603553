"""Several detectors, one number."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.detection.calibration import PredictiveTail, log_score
from edge_agent.detection.detector import Detector
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A fitted detector with what its scores mean.

    Attributes:
        detector: The detector.
        tail: Distribution of the logarithm of its held-out normal scores.
        weight: Its share in the fused score, from the bundle.
    """

    detector: Detector
    tail: PredictiveTail
    weight: float


@dataclass(frozen=True, slots=True)
class Part:
    """What one detector says of one window.

    Attributes:
        name: The detector.
        score: Its distance from normal.
        evidence: `-log10` of the probability that a normal window scores higher.
        weight: Its share in the fused score.
    """

    name: str
    score: float
    evidence: float
    weight: float


def parts_of(members: Sequence[Member], window: WindowFeatures) -> tuple[Part, ...]:
    """Every member's view of a window; a member that finds nothing to look at is left out.

    Raises:
        DetectionError: None of them found anything.
    """
    parts = []
    for member in members:
        score = member.detector.score(window)
        if score is not None:
            evidence = max(0.0, -member.tail.log10_tail(log_score(score)))
            parts.append(Part(member.detector.name, score, evidence, member.weight))
    if not parts:
        raise DetectionError(f"a window of {window.frames} frames holds nothing to score; skip it")
    return tuple(parts)


def fuse(parts: Sequence[Part]) -> float:
    """Weighted mean of the evidence.

    Fisher's method (R. A. Fisher, Statistical Methods for Research Workers, 1932, 21.1) with weights. The detectors
    hear the same sound and are not independent, so the result is no probability yet: it is calibrated once more.
    """
    total = sum(part.weight for part in parts)
    return sum(part.weight * part.evidence for part in parts) / total


def shares(parts: Sequence[Part]) -> tuple[float, ...]:
    """Each part's share in the fused evidence, summing to 1."""
    weighted = [part.weight * part.evidence for part in parts]
    total = sum(weighted)
    return tuple(w / total for w in weighted) if total > 0 else tuple(1.0 / len(parts) for _ in parts)
