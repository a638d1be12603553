"""Small spectrograms of clips for lists."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training_hub.sounds.reading import frames_of, picture_of
from training_hub.storage.objects import ObjectStore

FloatArray = NDArray[np.float32]

_KEPT = 4000
"""Pictures in memory; some 3 kB each."""
_MOST_FRAMES, _BANDS = 160, 32


class Pictures:
    """Spectrograms of about 160 x 32 pixels, as PNG; the latest 4,000 are kept in memory. Any thread.

    Args:
        objects: Where the files are.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._draw = lru_cache(maxsize=_KEPT)(self._drawn)

    def small(self, sha256: str, kind: str) -> bytes:
        """The picture of a clip's file.

        Raises:
            SoundError: The file cannot be read.
            StorageError: It is not there.
        """
        return self._draw(sha256, kind)

    def _drawn(self, sha256: str, kind: str) -> bytes:
        return picture_of(shrunk(frames_of(self._objects.get(sha256), kind, name=sha256[:12])))


def shrunk(frames_db: FloatArray, *, most_frames: int = _MOST_FRAMES, bands: int = _BANDS) -> FloatArray:
    """Mean power over neighbouring frames and bands.

    Args:
        frames_db: `[frames, bands]`, dB.
        most_frames: How many come out at most.
        bands: How many come out; a divisor of those that go in.

    >>> shrunk(np.zeros((400, 128), np.float32)).shape
    (133, 32)
    """
    step, wide = max(1, -(-len(frames_db) // most_frames)), frames_db.shape[1] // bands
    length = len(frames_db) // step * step
    power = 10.0 ** (frames_db[:length] / 10.0)
    blocks = power.reshape(length // step, step, bands, wide).mean(axis=(1, 3))
    found: FloatArray = (10.0 * np.log10(np.maximum(blocks, 1e-20))).astype(np.float32)
    return found
