"""Log-mel frames on their way to whoever looks at them now. Nobody looking costs nothing; nobody waits for a looker."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Place = tuple[str, int]
"""A source and the index of its channel."""

FLOOR_DB: Final = -120.0
"""What level 0 stands for; 255 stands for 0 dB."""
_MAX_WAITING: Final = 64
_BEHIND: Final = "behind"
_SLOW: Final = "slow_viewer"


def as_levels(log_mel_db: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Frames in a byte each, half a decibel fine.

    >>> as_levels(np.array([[-200.0, -120.0, -60.0, 0.0]])).tolist()
    [[0, 0, 128, 255]]
    """
    scaled = (np.asarray(log_mel_db, np.float32) - FLOOR_DB) * (255.0 / -FLOOR_DB)
    levels: NDArray[np.uint8] = np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)
    return levels


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Some frames of a channel: the number of the first on the stream's grid, and levels `[frames, 128]`."""

    first: int
    levels: NDArray[np.uint8]


@dataclass(slots=True, eq=False)
class Viewer:
    """Somebody who looks at a channel."""

    _waiting: deque[Frames] = field(default_factory=lambda: deque(maxlen=_MAX_WAITING))

    def take(self) -> list[Frames]:
        """What came since the last time, in order."""
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def give(self, frames: Frames) -> int:
        """Add some; how many frames had to go for them."""
        gone = len(self._waiting[0].levels) if len(self._waiting) == _MAX_WAITING else 0
        self._waiting.append(frames)
        return gone


class LiveFrames:
    """Hands the frames of a channel to its viewers. The scorer gives, the server's threads take.

    It is the first to give way: while the scorer is behind, frames are counted and not handed on.

    Args:
        behind: Whether the scorer is behind.
        on_shed: Told why and how many frames are not shown.
    """

    def __init__(self, behind: Callable[[], bool], on_shed: Callable[[str, int], None]) -> None:
        self._behind = behind
        self._on_shed = on_shed
        self._lock = threading.Lock()
        self._viewers: Mapping[Place, tuple[Viewer, ...]] = {}

    def give(self, source: str, channel: int, first_frame: int, log_mel_db: NDArray[np.float32]) -> None:
        """Frames `[k, 128]` were computed; their first one's number on the stream's grid."""
        viewers = self._viewers.get((source, channel))
        if not viewers:
            return
        if self._behind():
            self._on_shed(_BEHIND, len(log_mel_db))
            return
        frames = Frames(first_frame, as_levels(log_mel_db))
        for viewer in viewers:
            if gone := viewer.give(frames):
                self._on_shed(_SLOW, gone)

    @contextmanager
    def watched(self, place: Place) -> Iterator[Viewer]:
        """Look at a channel for as long as the block lasts."""
        viewer = Viewer()
        self._change(place, lambda viewers: (*viewers, viewer))
        try:
            yield viewer
        finally:
            self._change(place, lambda viewers: tuple(each for each in viewers if each is not viewer))

    @property
    def viewers(self) -> int:
        """How many look now."""
        return sum(map(len, self._viewers.values()))

    def _change(self, place: Place, edit: Callable[[tuple[Viewer, ...]], tuple[Viewer, ...]]) -> None:
        """A new mapping each time: the scorer reads without a lock."""
        with self._lock:
            viewers = edit(self._viewers.get(place, ()))
            others = {other: seen for other, seen in self._viewers.items() if other != place}
            self._viewers = {**others, place: viewers} if viewers else others
