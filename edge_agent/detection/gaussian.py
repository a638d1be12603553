"""Mahalanobis distance of a statistic from a machine's own centre."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.covariance import blend, centre_of, noise_scatter, residuals_of, shrink
from edge_agent.detection.detector import Assessment, Detector, FloatArray, TrainingSet, require
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.prior import DetectorPrior

MAX_STATES = 16
_NOISE_WINDOWS = 8
_PRECISION_BITS = np.float32


class GaussianDetector(Detector):
    """Squared Mahalanobis distance per dimension from the nearest operating state's centre.

    Spectra are first aligned with the centre by the median of their difference, so that gain plays no part.

    The centre is the machine's own (a trimmed mean per state); the covariance is the type's, blended with the
    machine's own scatter as clips arrive, plus the scatter that faint noise would cause. Subclasses say what is
    measured, and by how much it may differ between a machine's clips (`usual_scatter`, root mean square over
    dimensions) before it tells less of the machine than of the sounds about it.
    """

    dimensions: ClassVar[int]
    min_frames: ClassVar[int] = 1
    aligns_level: ClassVar[bool] = True
    usual_scatter: ClassVar[float] = np.inf

    def __init__(self, centres: NDArray[np.float32], precision: FloatArray) -> None:
        self.centres = centres
        self.precision = precision
        self._centres = centres.astype(np.float64)

    @staticmethod
    @abstractmethod
    def statistic(log_mel_db: NDArray[np.float32]) -> FloatArray:
        """What is measured of a window, `[dimensions]`."""

    @classmethod
    def measure(cls, window: WindowFeatures) -> FloatArray:
        """`statistic` of a window; subclasses that share a step with others measure that once."""
        return window.measured(cls.statistic)

    @classmethod
    def _measured(cls, window: WindowFeatures) -> FloatArray:
        return window.kept(cls, cls.measure)

    @classmethod
    def steadiness(cls, training: TrainingSet) -> float:
        """How alike the machine's clips are: 1 up to the usual scatter, then falling with its square."""
        usable = cls._usable(training)
        spare = len(usable.windows) - len(np.unique(usable.states)) if usable else 0
        if usable is None or spare <= 0:
            return 1.0
        _, residuals = cls._centred(cls._values(usable), usable.states)
        scatter = float(np.sqrt((residuals**2).sum() / (spare * cls.dimensions)))
        return min(1.0, (cls.usual_scatter / scatter) ** 2) if scatter > 0 else 1.0

    @classmethod
    def relevance(cls, training: TrainingSet) -> float:
        """Less where what is measured differs from clip to clip more than is usual of machines in quiet places."""
        return cls.steadiness(training)

    @classmethod
    def fit(cls, training: TrainingSet, prior: DetectorPrior, rng: np.random.Generator) -> Self | None:
        """Centre per state from the machine, covariance from the type and the machine."""
        usable = cls._usable(training)
        if usable is None:
            return None
        values = cls._values(usable)
        centres, residuals = cls._centred(values, usable.states)
        covariance = blend(prior.covariance, prior.strength, residuals, spent=len(centres))
        if prior.noise_weight > 0:
            chosen = rng.permutation(len(values))[:_NOISE_WINDOWS]
            windows = [usable.windows[i].log_mel_db for i in chosen]
            scatter = noise_scatter(windows, cls.statistic, rng, align=cls.aligns_level)
            covariance = covariance + prior.noise_weight * scatter
        precision = np.linalg.inv(shrink(covariance, prior.shrinkage))
        return cls._from_parts(centres.astype(np.float32), pack(precision))

    def look(self, window: WindowFeatures) -> None:
        """Measure the statistic."""
        if window.frames >= self.min_frames:
            self._measured(window)

    def assess(self, window: WindowFeatures) -> Assessment | None:
        """Squared distance from the nearest centre, per dimension, and each band's part in it."""
        return self.assess_all((window,))[0]

    def assess_all(self, windows: Sequence[WindowFeatures]) -> list[Assessment | None]:
        """As `assess`: each window's row goes through a product of its own, so that it never depends on the others."""
        found: list[Assessment | None] = [None] * len(windows)
        long_enough = [place for place, window in enumerate(windows) if window.frames >= self.min_frames]
        if not long_enough:
            return found
        values = np.array([self._measured(windows[place]) for place in long_enough])
        deviations = residuals_of(values[:, None], self._centres, align=self.aligns_level)  # [windows, states, d]
        parts = deviations * (deviations @ self.precision) / self.dimensions
        if parts.shape[1] == 1:
            nearest = parts[:, 0]
        else:
            nearest = parts[np.arange(len(parts)), parts.sum(axis=2).argmin(axis=1)]
        for place, score, bands in zip(long_enough, nearest.sum(axis=1).tolist(), self.per_band(nearest), strict=True):
            found[place] = Assessment(max(0.0, score), bands)
        return found

    def scores_without(self, window: WindowFeatures, kept: FloatArray) -> FloatArray | None:
        """What `assess` would score if the window's deviation from normal were taken away in some bands.

        Args:
            window: The window.
            kept: `[n, 128]`, share of each mel band's deviation that stays, 0 to 1.

        Returns:
            `[n]`; None where the window holds nothing that this detector looks at.
        """
        if window.frames < self.min_frames:
            return None
        deviations = residuals_of(self._measured(window), self._centres, align=self.aligns_level)
        distances = (deviations * (deviations @ self.precision)).sum(axis=1)
        rest = deviations[int(np.argmin(distances))] * self.kept_dimensions(kept)
        return np.asarray(np.maximum(0.0, (rest * (rest @ self.precision)).sum(axis=1) / self.dimensions))

    @staticmethod
    def kept_dimensions(kept: FloatArray) -> FloatArray:
        """Shares of mel bands `[n, 128]` as shares of the statistic's dimensions `[n, dimensions]`."""
        return kept

    @staticmethod
    def per_band(parts: FloatArray) -> FloatArray:
        """Parts of the statistic's dimensions, `[..., d]`, as parts of the mel bands, `[..., 128]`, the same sum."""
        return parts

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
    def _usable(cls, training: TrainingSet) -> TrainingSet | None:
        long_enough = np.array([window.frames >= cls.min_frames for window in training.windows])
        return training.subset(long_enough) if long_enough.any() else None

    @classmethod
    def _values(cls, training: TrainingSet) -> FloatArray:
        return np.array([cls._measured(window) for window in training.windows])

    @classmethod
    def _centred(cls, values: FloatArray, states: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Centre of each state, and the deviations from them."""
        align = cls.aligns_level
        centres = np.array([centre_of(values[states == state], align=align) for state in range(int(states.max()) + 1)])
        return centres, residuals_of(values, centres[states], align=align)

    @classmethod
    def _from_parts(cls, centres: NDArray[np.float32], packed: NDArray[np.float32]) -> Self:
        full = np.zeros((cls.dimensions, cls.dimensions))
        full[np.tril_indices(cls.dimensions)] = packed
        return cls(centres, full + np.tril(full, -1).T)


def pack(symmetric: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Lower triangle of a symmetric matrix, row by row."""
    return symmetric[np.tril_indices(len(symmetric))].astype(np.float32)
