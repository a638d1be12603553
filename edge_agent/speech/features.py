"""What the speech detector sees: how each band moves about its own mean, two seconds at a time."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

PATCH_FRAMES = 64
"""2.05 s: some eight syllables; less says little of their rhythm."""
HOP_FRAMES = 16
_SPAN_DB = 30.0
_UNIT_DB = 10.0


def patch_starts(frames: int) -> range:
    """First frames of the patches of a recording; the last one may reach beyond its end.

    >>> patch_starts(311)[-1] + PATCH_FRAMES >= 311, len(patch_starts(64)), len(patch_starts(10)), len(patch_starts(0))
    (True, 1, 1, 0)
    """
    return range(0, max(1, frames - PATCH_FRAMES + HOP_FRAMES), HOP_FRAMES) if frames else range(0)


def speech_patches(log_mel_db: FloatArray) -> FloatArray:
    """The detector's inputs of a recording.

    The mean of each band over the patch is taken away (cepstral mean normalisation, B. S. Atal 1974, in the spectral
    domain): a machine's steady spectrum, the microphone's colour and the gain go with it, and what moves remains.

    Args:
        log_mel_db: `[frames, bands]`, dB.

    Returns:
        `[patches, 64, bands]`, tens of dB about the mean, within +-3. A recording shorter than a patch is repeated.
    """
    starts = patch_starts(len(log_mel_db))
    if not starts:
        return np.empty((0, PATCH_FRAMES, log_mel_db.shape[1]), np.float32)
    needed = starts[-1] + PATCH_FRAMES
    if len(log_mel_db) < PATCH_FRAMES:
        log_mel_db = np.take(log_mel_db, np.arange(PATCH_FRAMES), axis=0, mode="wrap")
    elif len(log_mel_db) < needed:  # the last patch ends where the recording does
        starts_at = [*starts[:-1], len(log_mel_db) - PATCH_FRAMES]
        return _normalised(np.stack([log_mel_db[at : at + PATCH_FRAMES] for at in starts_at]))
    return _normalised(np.stack([log_mel_db[at : at + PATCH_FRAMES] for at in starts]))


def _normalised(patches: FloatArray) -> FloatArray:
    moving = patches - patches.mean(axis=1, keepdims=True)
    return np.asarray(np.clip(moving, -_SPAN_DB, _SPAN_DB) / _UNIT_DB, np.float32)
