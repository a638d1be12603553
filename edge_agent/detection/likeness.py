"""How a machine sounds to the encoder: which machine a window is of, and which normal recording is nearest."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.detector import TrainingSet, require
from edge_agent.detection.embedding import spread_choice
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.held_out import folds
from edge_agent.detection.unit import unit
from edge_agent.detection.verdict import NearestNormal

FloatArray = NDArray[np.float32]

MAX_ROWS = 48
UNNAMED = -1
UNKNOWN_START = -1.0
LIMIT_QUANTILE = 0.01
"""Share of the machine's own normal windows that may lie beyond the limit."""
LEAST_LIMIT, MOST_LIMIT = 0.2, 0.35
"""Bounds of the limit. Held-out windows of few recordings of one session promise too little, those of a changing
background too much: on the development recordings other sounds begin at about 0.35, other sessions reach 0.1."""

_INT8_SCALE = 127.0
_MAX_PATCHES = 4096
_PRIOR_SPREAD, _PRIOR_STRENGTH = 0.3, 4.0
_SMALLEST_DISTANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Named:
    """Rows of the bank whose recording has a name, those of one recording side by side.

    Attributes:
        rows: `[n]`, places in the bank.
        places: `[recordings]`, the place of each recording among the names.
        firsts: `[recordings]`, where the rows of each begin.
        bounds: Of each recording, where its rows begin and end.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int32]
    firsts: NDArray[np.int64]
    bounds: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, recordings: NDArray[np.int32]) -> Self:
        named = np.flatnonzero(recordings != UNNAMED)
        rows = named[np.argsort(recordings[named], kind="stable")]
        places, firsts = np.unique(recordings[rows], return_index=True)
        bounds = tuple(pairwise([*firsts.tolist(), len(rows)]))
        return cls(rows, places, firsts, bounds)


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A bank of the encoder's embeddings of normal patches, and how far other normal sound lies from it.

    Attributes:
        bank: `[n, size]`, unit embeddings of a spread-out choice of normal patches, times 127, int8.
        recordings: `[n]`, for each the place of its recording among the profile's names; -1 for one that it does not
            name.
        starts_s: `[n]`, where in the recording the row's window starts, seconds; -1 where nobody knows.
        logit_peaks: `[labels]`, the highest that each logit was in a normal window.
        limit: Distance beyond which a window is not this machine as commissioned.
    """

    bank: NDArray[np.int8]
    recordings: NDArray[np.int32]
    starts_s: FloatArray
    logit_peaks: FloatArray
    limit: float
    _units: FloatArray = field(init=False, repr=False)
    _named: "_Named" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """What every window would need anew."""
        object.__setattr__(self, "_units", unit(self.bank.astype(np.float32)))
        object.__setattr__(self, "_named", _Named.of(self.recordings))

    @classmethod
    def fit(cls, training: TrainingSet, places: NDArray[np.int64], starts_s: Sequence[float]) -> Self | None:
        """Learn from normal windows; None where the encoder gives no embeddings.

        The limit is the distance that one normal window in a hundred exceeds, as far as windows tell whose recording
        was held out, within bounds.

        Args:
            training: The windows.
            places: `[windows]`, place of each one's recording among the profile's names, -1 where it has none.
            starts_s: `[windows]`, where each starts in its recording; -1 where nobody knows.
        """
        counts = [len(window.embeddings) if window.embeddings.size else 0 for window in training.windows]
        if not sum(counts):
            return None
        rows = unit(np.concatenate([window.embeddings for window in training.windows if window.embeddings.size]))
        owners = np.repeat(np.arange(len(counts)), counts)
        thin = np.unique(np.linspace(0, len(rows) - 1, _MAX_PATCHES).astype(np.int64))
        rows, owners = rows[thin], owners[thin]
        held = _held_out(rows, owners, training.recordings)
        tail = PredictiveTail.fit(
            np.log(np.maximum(held, _SMALLEST_DISTANCE)),
            training.recordings[np.unique(owners)],
            prior_spread=_PRIOR_SPREAD,
            prior_strength=_PRIOR_STRENGTH,
        )
        limit = math.exp(tail.value_at(math.log10(LIMIT_QUANTILE)))
        chosen = spread_choice(rows, MAX_ROWS)
        peaks = np.max([w.logits.mean(axis=0) for w in training.windows if len(w.logits)], axis=0)
        return cls(
            bank=np.rint(rows[chosen] * _INT8_SCALE).astype(np.int8),
            recordings=places[owners[chosen]].astype(np.int32),
            starts_s=np.asarray(starts_s, np.float32)[owners[chosen]],
            logit_peaks=peaks.astype(np.float32),
            limit=min(MOST_LIMIT, max(LEAST_LIMIT, limit)),
        )

    def distance(self, embeddings: FloatArray) -> float | None:
        """How unlike this machine a window sounds.

        Args:
            embeddings: `[patches, size]`.

        Returns:
            1 less the mean over the patches of the cosine to the most alike row of the bank: 0 the same, 1 unrelated.
            None where the window has no embedding, or one of another size.
        """
        if not embeddings.size or embeddings.shape[1] != self.bank.shape[1]:
            return None
        return float(1.0 - self._cosines(embeddings).max(axis=1).mean(dtype=np.float64))

    def nearest(self, embeddings: FloatArray, names: Sequence[str]) -> NearestNormal | None:
        """The named recording that a window is most alike to; None where nothing tells.

        Args:
            embeddings: `[patches, size]`.
            names: The profile's names of recordings.
        """
        return self.nearest_of_stack(unit(embeddings)[None], names)[0] if embeddings.size else None

    def nearest_of_stack(self, units: FloatArray, names: Sequence[str]) -> list[NearestNormal | None]:
        """As `nearest` of each window, of embeddings of length one, `[windows, patches, size]`."""
        named = self._named
        if units.shape[2] != self.bank.shape[1] or not len(named.rows):
            return [None] * len(units)
        cosines = (units @ self._units.T).swapaxes(1, 2)[:, named.rows]  # [windows, rows of the bank, patches]
        nearest = np.maximum.reduceat(cosines, named.firsts, axis=1)
        means = np.add.reduce(nearest, axis=2, dtype=np.float64) / nearest.shape[2]
        best = means.argmax(axis=1)
        highest = cosines.max(axis=2)
        found: list[NearestNormal | None] = []
        for own_highest, own_means, recording in zip(highest, means, best.tolist(), strict=True):
            own = slice(*named.bounds[recording])
            start_s = float(self.starts_s[named.rows[own][int(own_highest[own].argmax())]])
            found.append(
                NearestNormal(
                    recording=names[int(named.places[recording])],
                    start_s=None if start_s == UNKNOWN_START else start_s,
                    distance=max(0.0, 1.0 - float(own_means[recording])),
                )
            )
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What the profile keeps, but for the limit."""
        return {
            "bank": self.bank,
            "recordings": self.recordings,
            "starts_s": self.starts_s,
            "logit_peaks": self.logit_peaks,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], limit: float, names: int) -> Self:
        """Rebuild from a profile.

        Args:
            arrays: What `to_arrays` gave.
            limit: The limit.
            names: How many recordings the profile names.

        Raises:
            DetectionError: Arrays missing, or of shapes or values that do not match.
        """
        bank = require(arrays, "bank", "likeness", (None, None))
        recordings = require(arrays, "recordings", "likeness", (len(bank),))
        starts_s = require(arrays, "starts_s", "likeness", (len(bank),))
        peaks = require(arrays, "logit_peaks", "likeness", (None,))
        sound = bank.dtype == np.int8 and recordings.dtype.kind == "i" and 1 <= len(bank) <= MAX_ROWS
        if not sound or recordings.min() < UNNAMED or recordings.max() >= names:
            raise DetectionError(
                f"profile: likeness.bank {bank.dtype} {bank.shape} does not fit its recordings; commission again"
            )
        if not 0.0 < limit <= 2.0 or bool(((starts_s < 0) & (starts_s != UNKNOWN_START)).any()):
            raise DetectionError(f"profile: likeness: limit {limit} or a start is out of range; commission again")
        return cls(bank, recordings.astype(np.int32), starts_s.astype(np.float32), peaks.astype(np.float32), limit)

    def _cosines(self, embeddings: FloatArray) -> FloatArray:
        return np.asarray(unit(embeddings) @ self._units.T)


def _held_out(rows: FloatArray, owners: NDArray[np.int64], recordings: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each window from a bank without its recording and its neighbours, in the order of `owners`."""
    of_row = recordings[owners]
    distances = np.empty(len(rows))
    for held in folds(of_row):
        bank = rows[~held]
        if len(bank):
            bank = bank[spread_choice(bank, MAX_ROWS)]
            distances[held] = 1.0 - (rows[held] @ bank.T).max(axis=1)
        else:
            distances[held] = 1.0
    windows = np.unique(owners, return_inverse=True)[1]
    return np.bincount(windows, weights=distances) / np.bincount(windows)
