"""Mahalanobis distance of a statistic from a machine's own centre."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.covariance import blend, centre_of, noise_scatter, residuals_of, shrink
from edge_agent.detection.detector import Detector, FloatArray, TrainingSet, require
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.prior import DetectorPrior

MAX_STATES = 16
_NOISE_WINDOWS = 16
_PRECISION_BITS = np.float32


class GaussianDetector(Detector):
    """Squared Mahalanobis distance per dimension from the nearest operating state's centre.

    Spectra are first aligned with the centre by the median of their difference, so that gain plays no part.

    The centre is the machine's own (a trimmed mean per state); the covariance is the type's, blended with the
    machine's own scatter as clips arrive, plus the scatter that faint noise would cause. Subclasses say what is
    measured.
    """

    dimensions: ClassVar[int]
    min_frames: ClassVar[int] = 1
    aligns_level: ClassVar[bool] = True

    def __init__(self, centres: NDArray[np.float32], precision: FloatArray) -> None:
        self.centres = centres
        self.precision = precision
        self._centres = centres.astype(np.float64)

    @staticmethod
    @abstractmethod
    def statistic(log_mel_db: NDArray[np.float32]) -> FloatArray:
        """What is measured of a window, `[dimensions]`."""

    @classmethod
    def fit(cls, training: TrainingSet, prior: DetectorPrior, rng: np.random.Generator) -> Self | None:
        """Centre per state from the machine, covariance from the type and the machine."""
        usable = np.array([window.frames >= cls.min_frames for window in training.windows])
        if not usable.any():
            return None
        if not usable.all():
            training = training.subset(usable)
        values = np.array([cls.statistic(window.log_mel_db) for window in training.windows])
        states = int(training.states.max()) + 1
        centres = np.array(
            [centre_of(values[training.states == state], align=cls.aligns_level) for state in range(states)]
        )
        residuals = residuals_of(values, centres[training.states], align=cls.aligns_level)
        covariance = blend(prior.covariance, prior.strength, residuals, spent=states)
        if prior.noise_weight > 0:
            chosen = rng.permutation(len(values))[:_NOISE_WINDOWS]
            windows = [training.windows[i].log_mel_db for i in chosen]
            scatter = noise_scatter(windows, cls.statistic, rng, align=cls.aligns_level)
            covariance = covariance + prior.noise_weight * scatter
        precision = np.linalg.inv(shrink(covariance, prior.shrinkage))
        return cls._from_parts(centres.astype(np.float32), pack(precision))

    def score(self, window: WindowFeatures) -> float | None:
        """Squared distance from the nearest centre, per dimension."""
        if window.frames < self.min_frames:
            return None
        deviation, weighted = self._deviation(window)
        return max(0.0, float(deviation @ weighted)) / self.dimensions

    def deviation(self, window: WindowFeatures) -> FloatArray:
        """Difference of the statistic from the nearest state's centre, `[dimensions]`."""
        return self._deviation(window)[0]

    def nearest_state(self, window: WindowFeatures) -> int:
        """Number of the operating state whose centre is nearest."""
        return self._nearest(self.statistic(window.log_mel_db))[0]

    def dimension_contributions(self, window: WindowFeatures) -> FloatArray:
        """Share of each dimension in `score`, `[dimensions]`; may be negative where bands speak for normal."""
        deviation, weighted = self._deviation(window)
        return np.asarray(deviation * weighted / self.dimensions)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Centres and the lower triangle of the precision."""
        return {"centres": self.centres, "precision": pack(self.precision)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from a profile."""
        centres = require(arrays, "centres", cls.name, (None, cls.dimensions)).astype(np.float32)
        packed = require(arrays, "precision", cls.name, (cls.dimensions * (cls.dimensions + 1) // 2,))
        if not 1 <= len(centres) <= MAX_STATES:
            raise DetectionError(f"profile: {cls.name} has {len(centres)} states; 1 to {MAX_STATES} are possible")
        return cls._from_parts(centres, packed.astype(_PRECISION_BITS))

    @classmethod
    def _from_parts(cls, centres: NDArray[np.float32], packed: NDArray[np.float32]) -> Self:
        full = np.zeros((cls.dimensions, cls.dimensions))
        full[np.tril_indices(cls.dimensions)] = packed
        return cls(centres, full + np.tril(full, -1).T)

    def _deviation(self, window: WindowFeatures) -> tuple[FloatArray, FloatArray]:
        _, deviation, weighted = self._nearest(self.statistic(window.log_mel_db))
        return deviation, weighted

    def _nearest(self, value: FloatArray) -> tuple[int, FloatArray, FloatArray]:
        deviations = residuals_of(value, self._centres, align=self.aligns_level)
        weighted = deviations @ self.precision
        nearest = int(np.argmin(np.einsum("ij,ij->i", deviations, weighted)))
        return nearest, deviations[nearest], weighted[nearest]


def pack(symmetric: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Lower triangle of a symmetric matrix, row by row."""
    return symmetric[np.tril_indices(len(symmetric))].astype(np.float32)
