"""Which fault an anomalous window sounds like, by what operators called others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.unit import unit

FloatArray = NDArray[np.float32]

UNKNOWN_FAULT = "unknown"
MAX_FAULTS = 64
MAX_LABEL_CHARACTERS = 128
MIN_CONFIDENCE = 0.5
"""A name that is less likely right than wrong is not said."""


@dataclass(frozen=True, slots=True)
class FaultGuess:
    """What is said of one anomalous window.

    Attributes:
        label: The nearest fault's name, or `unknown` where none is near enough, or two are about as near.
        distance: 1 less the cosine to the nearest fault's prototype: 0 the same, 1 unrelated.
        confidence: Of the label, 0 to 1; calibrated on recordings that the prototypes were not made of.
    """

    label: str
    distance: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class FaultPrototypes:
    """Faults of one machine type; `faults/<type>.npz` of a bundle.

    Each fault is the mean direction in which it moves the embeddings of the type's normal sound (nearest class mean:
    T. Mensink et al., Distance-based image classification, 2013), and is as far away as its own recordings are, at
    most, from a prototype made without them; farther away the answer is `unknown`.

    Attributes:
        labels: Names of the faults, as operators gave them.
        origin: `[size]`, mean embedding of the type's normal recordings, where directions start.
        centres: `[faults, size]`, unit length.
        limits: `[faults]`, distance beyond which a window is of no fault known.
        temperature: Divides distances; makes confidences.
    """

    labels: tuple[str, ...]
    origin: FloatArray
    centres: FloatArray
    limits: FloatArray
    temperature: float

    def __post_init__(self) -> None:
        """Refuse what no fit writes."""
        n, size = len(self.labels), len(self.origin) if self.origin.ndim == 1 else -1
        if not 1 <= n <= MAX_FAULTS or len(set(self.labels)) != n:
            raise DetectionError(f"{n} faults, or a name twice; 1 to {MAX_FAULTS} different ones can be told apart")
        if not all(0 < len(label) <= MAX_LABEL_CHARACTERS and label.isprintable() for label in self.labels):
            raise DetectionError(f"a fault's name has 1 to {MAX_LABEL_CHARACTERS} printable characters")
        if size < 1 or self.centres.shape != (n, size) or self.limits.shape != (n,):
            raise DetectionError(
                f"prototypes of {n} faults: centres {self.centres.shape}, limits {self.limits.shape}, origin "
                f"{self.origin.shape} do not match; retrain the faults"
            )
        if not all(np.isfinite(a).all() for a in (self.origin, self.centres, self.limits)):
            raise DetectionError("prototypes of faults hold NaN or infinity; retrain the faults")
        if self.limits.min() < 0 or self.limits.max() > 2 or not 1e-4 <= self.temperature <= 10:
            raise DetectionError("a limit or the temperature of fault prototypes is out of range; retrain the faults")

    def guess(self, embeddings: FloatArray) -> FaultGuess | None:
        """The fault that a window sounds like.

        Args:
            embeddings: `[patches, size]` of the window.

        Returns:
            None where the window holds no whole patch.

        Raises:
            DetectionError: The embeddings are another encoder's.
        """
        if not embeddings.size:
            return None
        if embeddings.shape[1] != len(self.origin):
            raise DetectionError(
                f"embeddings have {embeddings.shape[1]} values, the fault prototypes {len(self.origin)}; "
                "use the bundle that the faults were learnt with"
            )
        distances = 1.0 - self.centres @ direction(embeddings, self.origin)
        weights = self.probabilities(distances)
        nearest = int(np.argmin(distances))
        distance = float(np.clip(distances[nearest], 0.0, 2.0))
        if distance > self.limits[nearest] or weights[nearest] < MIN_CONFIDENCE:
            return FaultGuess(UNKNOWN_FAULT, distance, float(1.0 - weights[nearest]))
        return FaultGuess(self.labels[nearest], distance, float(weights[nearest]))

    def probabilities(self, distances: FloatArray) -> FloatArray:
        """`[faults + 1]`: of each fault and, last, of none of them, which is as far away as the nearest one's limit."""
        none = self.limits[int(np.argmin(distances))]
        scaled = -np.append(distances, none).astype(np.float64) / self.temperature
        weights = np.exp(scaled - scaled.max())
        return np.asarray(weights / weights.sum(), np.float32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of the file."""
        return {
            "labels": np.array(self.labels),
            "origin": self.origin,
            "centres": self.centres,
            "limits": self.limits,
            "temperature": np.array([self.temperature]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read as hostile input.

        Raises:
            DetectionError: An array is missing, or is not what a fit writes.
        """
        kinds = {"labels": "U", "origin": "f", "centres": "f", "limits": "f", "temperature": "f"}
        for name, kind in kinds.items():
            if name not in arrays or arrays[name].dtype.kind != kind:
                raise DetectionError(f"fault prototypes: array {name!r} is missing or of another kind; retrain them")
        if arrays["labels"].ndim != 1 or arrays["temperature"].shape != (1,):
            raise DetectionError("fault prototypes: labels or temperature have another shape; retrain them")
        origin, centres, limits = (arrays[name].astype(np.float32) for name in ("origin", "centres", "limits"))
        labels = tuple(str(label) for label in arrays["labels"])
        return cls(labels, origin, centres, limits, float(arrays["temperature"][0]))


def direction(embeddings: FloatArray, origin: FloatArray) -> FloatArray:
    """`[size]`, unit length: where a window's patches `[patches, size]` lie, on the whole, seen from the origin."""
    moved = unit(embeddings).mean(axis=0) - origin
    return np.asarray(unit(moved[None])[0], np.float32)
