"""The error of a model that rebuilds its input: what an autoencoder brought from elsewhere says of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.detector import Assessment, Detector, FloatArray, TrainingSet, require
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import BANDS, WindowFeatures
from edge_agent.detection.prior import DetectorPrior

MAX_STATES = 16
_SMALLEST_ERROR = 1e-9


class ReconstructionDetector(Detector):
    """Reconstruction error relative to what is usual in the nearest operating state.

    A model trained on normal sound rebuilds other sound badly (Y. Koizumi et al., DCASE 2020 challenge task 2). How
    badly it rebuilds normal sound differs from machine to machine and from state to state, so the error is divided by
    the median of the machine's own; with one state, the order of windows is that of the model's own error. Whether
    gain counts is the model's affair: `remove_level` in its manifest takes it away.
    """

    name: ClassVar[str] = "reconstruction"

    def __init__(self, usual: NDArray[np.float32], spectra_db: NDArray[np.float32]) -> None:
        self.usual = usual
        self.spectra_db = spectra_db
        self._spectra_db = spectra_db.astype(np.float64)

    @classmethod
    def fit(cls, training: TrainingSet, prior: DetectorPrior, rng: np.random.Generator) -> Self | None:
        """Median error and median spectrum of each state; None for a model that does not rebuild its input."""
        known = np.array([window.reconstruction_error is not None for window in training.windows])
        if not known.any():
            return None
        training = training.subset(known)
        errors = np.array([window.reconstruction_error for window in training.windows], np.float64)
        spectra = np.array([statistics.shape(window.log_mel_db) for window in training.windows])
        states = [training.states == state for state in range(int(training.states.max()) + 1)]
        return cls(
            np.array([max(np.median(errors[own]), _SMALLEST_ERROR) for own in states], np.float32),
            np.array([np.median(spectra[own], axis=0) for own in states], np.float32),
        )

    def assess(self, window: WindowFeatures) -> Assessment | None:
        """The window's error over the usual one of the state whose spectrum is nearest."""
        if window.reconstruction_error is None or not window.frames:
            return None
        usual = float(self.usual[self._nearest(statistics.shape(window.log_mel_db))])
        return Assessment(window.reconstruction_error / usual)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Usual error and spectrum of each state."""
        return {"usual": self.usual, "spectra_db": self.spectra_db}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from a profile."""
        usual = require(arrays, "usual", cls.name, (None,)).astype(np.float32)
        spectra_db = require(arrays, "spectra_db", cls.name, (len(usual), BANDS)).astype(np.float32)
        if not 1 <= len(usual) <= MAX_STATES or usual.min() <= 0:
            raise DetectionError(f"profile: usual errors of {cls.name} {usual.shape} are none; commission again")
        return cls(usual, spectra_db)

    def _nearest(self, spectrum_db: FloatArray) -> int:
        return int(np.argmin(((self._spectra_db - spectrum_db) ** 2).sum(axis=1)))
