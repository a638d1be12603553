"""What every detector can do, and the list of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.prior import DetectorPrior

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Normal windows of one machine.

    Attributes:
        windows: The windows.
        recordings: `[n]`, number of the recording that each belongs to.
        states: `[n]`, number of the operating state that each belongs to, from 0 without a hole.
    """

    windows: tuple[WindowFeatures, ...]
    recordings: NDArray[np.int64]
    states: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse a set whose parts do not match."""
        n = len(self.windows)
        if n == 0 or self.recordings.shape != (n,) or self.states.shape != (n,):
            raise DetectionError(f"a training set of {n} windows needs as many recording and state numbers")
        if set(np.unique(self.states)) != set(range(int(self.states.max()) + 1)):
            raise DetectionError("operating states must be numbered from 0 without a hole")

    def subset(self, keep: NDArray[np.bool_]) -> TrainingSet:
        """The windows where `keep` holds; states that lost all their windows are numbered anew."""
        _, states = np.unique(self.states[keep], return_inverse=True)
        windows = tuple(window for window, kept in zip(self.windows, keep, strict=True) if kept)
        return TrainingSet(windows, self.recordings[keep], states.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """What a detector says of a window.

    Attributes:
        score: Distance from normal, at least 0.
        contributions: Share of each mel band in `score`, `[128]`, summing to it, negative where a band speaks for
            normal; None from a detector that cannot tell.
    """

    score: float
    contributions: FloatArray | None = None


class Detector(ABC):
    """Scores how far a window is from a machine's normal ones.

    A detector is immutable. `score` is a pure function: finite for every finite window, the same at any gain, growing
    with the distance from normal. Every subclass in `DETECTORS` goes through `tests/detection/test_contract.py`.
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, training: TrainingSet, prior: DetectorPrior, rng: np.random.Generator) -> Self | None:
        """Learn a machine's normal windows; None where they hold nothing that this detector looks at."""

    @classmethod
    def relevance(cls, training: TrainingSet) -> float:
        """How far this machine is one for this detector, 0 to 1; multiplies the type's weight."""
        return 1.0

    @abstractmethod
    def assess(self, window: WindowFeatures) -> Assessment | None:
        """Distance from normal, and where it lies; None where the window holds nothing that this detector looks at."""

    def look(self, window: WindowFeatures) -> None:
        """Measure what `assess` will need of the frames and `WindowFeatures` keeps; nothing by default.

        Of many windows it is asked for one after the other by all detectors, while a window's frames are at hand.
        """
        return None  # most look at nothing that another one looks at

    def assess_all(self, windows: Sequence[WindowFeatures]) -> list[Assessment | None]:
        """As `assess` of each window, the same to the last bit; overridden where windows share steps."""
        return [self.assess(window) for window in windows]

    def score(self, window: WindowFeatures) -> float | None:
        """Distance from normal alone, at least 0."""
        assessment = self.assess(window)
        return None if assessment is None else assessment.score

    @abstractmethod
    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What the profile keeps of it."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild it: the same scores to the last bit.

        Raises:
            DetectionError: Arrays missing or of shapes that do not match.
        """


def require(arrays: Mapping[str, NDArray[Any]], key: str, owner: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """One array of a profile, its shape checked.

    Raises:
        DetectionError: Missing, of another shape, or not finite numbers.
    """
    array = arrays.get(key)
    if array is None:
        raise DetectionError(f"profile: array {key!r} of {owner!r} is missing; commission the machine again")
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise DetectionError(
            f"profile: {owner}.{key} is {array.dtype} {array.shape}; expected finite numbers {shape}; commission again"
        )
    return array
