"""Several detectors, one number."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.detection.calibration import PredictiveTail, log_score
from edge_agent.detection.detector import Detector, FloatArray
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


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one detector says of one window.

    Attributes:
        name: The detector.
        score: Its distance from normal.
        z: How many spreads the logarithm of the score lies above its normal mean.
        log10_tail: log10 of the probability that a normal window scores higher.
        weight: Its share in the fused score.
        contributions: Share of each mel band in `score`, `[128]`; None from a detector that cannot tell.
    """

    name: str
    score: float
    z: float
    log10_tail: float
    weight: float
    contributions: FloatArray | None = None


def parts_of(members: Sequence[Member], window: WindowFeatures) -> tuple[Part, ...]:
    """Every member's view of a window; a member that finds nothing to look at is left out.

    Raises:
        DetectionError: None of them found anything.
    """
    return parts_of_all(members, (window,))[0]


def parts_of_all(members: Sequence[Member], windows: Sequence[WindowFeatures]) -> list[tuple[Part, ...]]:
    """As `parts_of` of each window, each detector looking at all windows before the next one does."""
    if len(windows) > 1:
        for window in windows:
            for member in members:
                member.detector.look(window)
    parts: list[list[Part]] = [[] for _ in windows]
    for member in members:
        name, tail, weight = member.detector.name, member.tail, member.weight
        for own, found in zip(parts, member.detector.assess_all(windows), strict=True):
            if found is not None:
                value = log_score(found.score)
                z, log10_tail = tail.standardise(value), tail.log10_tail(value)
                own.append(Part(name, found.score, z, log10_tail, weight, found.contributions))
    for own, window in zip(parts, windows, strict=True):
        if not own:
            raise DetectionError(f"a window of {window.frames} frames holds nothing to score; skip it")
    return [tuple(own) for own in parts]


def fuse(parts: Sequence[Part]) -> float:
    """Weighted mean of the detectors' z.

    Stouffer's method with weights (T. Lipták, On the combination of independent tests, 1958). The detectors hear the
    same sound and are not independent, so the result is calibrated once more on held-out windows. Adding `-log10 p`
    (Fisher) ranks alike, but with few clips the heavy tails of each p and then of the sum squeeze an odd window twice.
    """
    total = sum(part.weight for part in parts)
    return sum(part.weight * part.z for part in parts) / total


def shares(parts: Sequence[Part]) -> tuple[float, ...]:
    """Each part's share in what speaks for a fault, summing to 1; by weight alone where nothing does."""
    weighted = [part.weight * max(part.z, 0.0) for part in parts]
    if not any(weighted):
        weighted = [part.weight for part in parts]
    total = sum(weighted)
    return tuple(w / total for w in weighted)
