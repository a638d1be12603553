"""What detectors see of one window."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.unit import unit
from edge_agent.signal.level import LevelReading

FloatArray = NDArray[np.float32]
_T = TypeVar("_T")
_Of = TypeVar("_Of")

BANDS = 128
STATE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, eq=False)
class WindowFeatures:
    """Features of one window; every array is finite float32.

    Attributes:
        log_mel_db: `[frames, 128]`, dB, valid frames only.
        embeddings: `[patches, size]` of the encoder; no rows where the window holds no whole patch.
        logits: `[patches, labels]` of the encoder.
        reconstruction_error: How badly a model that rebuilds its input rebuilt the window: mean squared difference, at
            least 0; None where the model does not rebuild, or the window is too short for it.
    """

    log_mel_db: FloatArray
    embeddings: FloatArray
    logits: FloatArray
    reconstruction_error: float | None = None
    _measured: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no detector could score."""
        if self.log_mel_db.ndim != 2 or self.log_mel_db.shape[1] != BANDS:
            raise DetectionError(f"log_mel_db has shape {self.log_mel_db.shape}; expected [frames, {BANDS}]")
        if self.embeddings.ndim != 2 or self.logits.ndim != 2 or len(self.embeddings) != len(self.logits):
            raise DetectionError(
                f"embeddings {self.embeddings.shape} and logits {self.logits.shape} must be [patches, size] with the "
                "same number of patches"
            )
        for name in ("log_mel_db", "embeddings", "logits"):
            if not np.isfinite(getattr(self, name)).all():
                raise DetectionError(f"{name} holds NaN or infinity; drop the window")
        error = self.reconstruction_error
        if error is not None and not 0.0 <= error < math.inf:
            raise DetectionError(f"reconstruction_error is {error}; it must be finite and at least 0; drop the window")

    @property
    def frames(self) -> int:
        """Number of valid frames."""
        return len(self.log_mel_db)

    @property
    def unit_embeddings(self) -> FloatArray:
        """`[patches, size]`, each row scaled to length one; computed once."""
        return self._once(unit, unit, self.embeddings)

    def measured(self, statistic: Callable[[FloatArray], _T]) -> _T:
        """What a function makes of the frames; several detectors look at the same, it is computed once."""
        return self._once(statistic, statistic, self.log_mel_db)

    def kept(self, key: object, measure: "Callable[[WindowFeatures], _T]") -> _T:
        """What a function makes of the window, computed once for a key."""
        return self._once(key, measure, self)

    def _once(self, key: object, function: Callable[[_Of], _T], of: _Of) -> _T:
        if key not in self._measured:
            self._measured[key] = function(of)
        found: _T = self._measured[key]
        return found


def stacked_units(windows: Sequence[WindowFeatures]) -> Iterator[tuple[list[int], FloatArray]]:
    """Unit embeddings of windows, those with as many patches together: their places, and `[windows, patches, size]`.

    Windows without an embedding are left out.
    """
    if len(windows) == 1:
        if windows[0].embeddings.size:
            yield [0], windows[0].unit_embeddings[None]
        return
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, window in enumerate(windows):
        if window.embeddings.size:
            alike.setdefault(window.embeddings.shape, []).append(place)
    for places in alike.values():
        yield places, np.stack([windows[place].unit_embeddings for place in places])


def measure_units(windows: Sequence[WindowFeatures]) -> None:
    """Compute the unit embeddings of windows all at once; each window then has its own."""
    if len(windows) < 2:
        return  # when it is asked for
    lacking = [window for window in windows if window.embeddings.size and unit not in window._measured]
    if len({window.embeddings.shape[1] for window in lacking}) != 1:
        return  # none, or of several models: each when it is asked for
    rows = unit(np.concatenate([window.embeddings for window in lacking]))
    first = 0
    for window in lacking:
        window._measured[unit] = rows[first : first + len(window.embeddings)]
        first += len(window.embeddings)


@dataclass(frozen=True, slots=True)
class Recording:
    """Windows of one recording: what commissioning learns from, never split across folds.

    Attributes:
        name: What the operator calls it: a file name, or the time of a live stretch.
        windows: Its windows, in order of time.
        levels: The input's level in each window; None where only log-mel frames exist.
        starts_s: Where each window starts in the recording, seconds; empty where nobody knows.
        state: The operating state that it shows, where a person named it.
        trusted: Whether a person listened and vouches for it: it is not left out for sounding odd, and sound that
            contradicts the calibration is then a warning.
    """

    name: str
    windows: tuple[WindowFeatures, ...]
    levels: tuple[LevelReading | None, ...]
    starts_s: tuple[float, ...] = ()
    state: str | None = None
    trusted: bool = False

    def __post_init__(self) -> None:
        """Refuse a recording whose parts do not match."""
        if not self.windows or len(self.windows) != len(self.levels):
            raise DetectionError(
                f"recording {self.name!r} has {len(self.windows)} windows and {len(self.levels)} levels; "
                "it needs at least one window and one level for each"
            )
        if self.starts_s and len(self.starts_s) != len(self.windows):
            raise DetectionError(
                f"recording {self.name!r} has {len(self.windows)} windows and {len(self.starts_s)} starts; give "
                "one for each, or none"
            )
        if self.state is not None and not STATE_NAME.fullmatch(self.state):
            raise DetectionError(
                f"operating state {self.state!r}: 1-64 of A-Z a-z 0-9 _ . -, a letter or digit first; choose another"
            )
