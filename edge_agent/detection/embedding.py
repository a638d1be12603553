"""D3: neighbours among the encoder's embeddings of normal patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.detector import Assessment, Detector, FloatArray, TrainingSet, require
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures, stacked_units
from edge_agent.detection.prior import DetectorPrior
from edge_agent.detection.unit import unit

MAX_BANK = 128
DENSITY_NEIGHBOURS = 4
_INT8_SCALE = 127.0
_MIN_DENSITY = 1e-3


class EmbeddingDetector(Detector):
    """Cosine distance of a window's patches from a memory bank, relative to how dense the bank is there.

    The distance to the nearest remembered patch is divided by that patch's own mean distance to its neighbours from
    other recordings: where normal sound varies much, a distance means less (K. Wilkinghoff et al., Keeping the
    balance: local density-based anomaly score normalisation, 2025). The bank keeps at most 128 patches, picked one
    after the other as the one farthest from all those picked (greedy k-centre; T. Gonzalez, 1985), the same number
    from each operating state.
    """

    name: ClassVar[str] = "embedding"

    def __init__(self, bank: NDArray[np.int8], density: NDArray[np.float32]) -> None:
        self.bank = bank
        self.density = density
        self._rows = bank.astype(np.float32) / np.float32(_INT8_SCALE)

    @classmethod
    def fit(cls, training: TrainingSet, prior: DetectorPrior, rng: np.random.Generator) -> Self | None:
        """Remember a spread-out choice of the patches."""
        counts = [len(window.embeddings) if window.embeddings.size else 0 for window in training.windows]
        if not sum(counts):
            return None
        rows = unit(np.concatenate([window.embeddings for window in training.windows if window.embeddings.size]))
        recordings = np.repeat(training.recordings, counts)
        states = np.repeat(training.states, counts)
        share = MAX_BANK // len(np.unique(states))
        chosen = np.concatenate(
            [np.flatnonzero(states == s)[spread_choice(rows[states == s], share)] for s in np.unique(states)]
        )
        bank = np.rint(rows[chosen] * _INT8_SCALE).astype(np.int8)
        kept = bank.astype(np.float32) / np.float32(_INT8_SCALE)
        return cls(bank, _density(kept, recordings[chosen], rows, recordings))

    def assess(self, window: WindowFeatures) -> Assessment | None:
        """Mean over the window's patches of the relative distance to the nearest remembered patch."""
        return self.assess_all((window,))[0]

    def assess_all(self, windows: Sequence[WindowFeatures]) -> list[Assessment | None]:
        """As `assess`; windows of as many patches in one go."""
        found: list[Assessment | None] = [None] * len(windows)
        for window in windows:
            if window.embeddings.size and window.embeddings.shape[1] != self._rows.shape[1]:
                raise DetectionError(
                    f"embeddings have {window.embeddings.shape[1]} values, the profile {self._rows.shape[1]}; "
                    "the profile belongs to another bundle: commission the machine again"
                )
        for places, units in stacked_units(windows):
            distances = np.maximum(0.0, 1.0 - units @ self._rows.T) / self.density
            nearest = np.minimum.reduce(distances, axis=2)
            scores = np.add.reduce(nearest, axis=1, dtype=np.float64) / nearest.shape[1]
            for place, score in zip(places, scores.tolist(), strict=True):
                found[place] = Assessment(score)
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The bank as int8 and its density."""
        return {"bank": self.bank, "density": self.density}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild from a profile."""
        bank = require(arrays, "bank", cls.name, (None, None))
        density = require(arrays, "density", cls.name, (len(bank),)).astype(np.float32)
        if bank.dtype != np.int8 or not 1 <= len(bank) <= MAX_BANK or density.min() <= 0:
            raise DetectionError(f"profile: embedding bank {bank.dtype} {bank.shape} is not one; commission again")
        return cls(bank, density)


def spread_choice(rows: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of at most `count` rows that cover all of them: greedy k-centre, started from the most central row."""
    if len(rows) <= count:
        return np.arange(len(rows))
    chosen = [int(np.argmax(rows @ rows.mean(axis=0)))]
    distance = 1.0 - rows @ rows[chosen[0]]
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, 1.0 - rows @ rows[chosen[-1]])
    return np.array(chosen)


def _density(
    bank: NDArray[np.float32],
    bank_recordings: NDArray[np.int64],
    rows: NDArray[np.float32],
    recordings: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Mean distance of each kept row from its nearest patches of *other* recordings: overlap would flatter it."""
    distances: FloatArray = np.maximum(0.0, 1.0 - bank @ rows.T).astype(np.float64)
    foreign = bank_recordings[:, None] != recordings[None, :]
    if not foreign.any():
        foreign[:] = True
    distances[~foreign] = np.inf
    nearest = np.sort(distances, axis=1)[:, :DENSITY_NEIGHBOURS]
    counted = np.isfinite(nearest)
    mean = np.where(counted, nearest, 0.0).sum(axis=1) / np.maximum(1, counted.sum(axis=1))
    mean = np.where(counted.any(axis=1), mean, np.median(mean[counted.any(axis=1)]))
    density: NDArray[np.float32] = np.maximum(mean, _MIN_DENSITY).astype(np.float32)
    return density
