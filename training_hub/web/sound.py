"""A clip's file as a browser can play it, and as a picture."""

from __future__ import annotations

import io
import zipfile
import zlib
from functools import lru_cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_agent.clips.picture import before_after_png
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.resample import StreamResampler
from training_hub.storage.objects import ObjectStore
from training_hub.web.errors import WebError

FloatArray = NDArray[np.float32]

_RATE_HZ = 16_000
_BANDS = 128
_SPAN_DB = 70.0
_KEPT_PICTURES = 2000
_SMALL_FRAMES, _SMALL_BANDS = 160, 32


class Pictures:
    """Spectrograms of clips, as PNG; the latest 2,000 are kept in memory. Any thread.

    Args:
        objects: Where the files are.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._picture = lru_cache(maxsize=_KEPT_PICTURES)(self._draw)

    def picture(self, sha256: str, kind: str, *, small: bool) -> bytes:
        """One pixel per frame and band; `small` is about 160 x 32, for lists.

        Raises:
            WebError: The file cannot be read.
            StorageError: It is not there.
        """
        return self._picture(sha256, kind, small)

    def _draw(self, sha256: str, kind: str, small: bool) -> bytes:
        frames = frames_of(self._objects.get(sha256), kind)
        if small:
            frames = _shrunk(frames, _SMALL_FRAMES, _SMALL_BANDS)
        return before_after_png(None, np.maximum(frames, frames.max(initial=-200.0) - _SPAN_DB))


def frames_of(content: bytes, kind: str) -> FloatArray:
    """Log-mel frames `[frames, 128]`, dB, of a clip's file.

    Raises:
        WebError: It is no such file.
    """
    return _stored_frames(content) if kind == "log_mel" else log_mel_db(samples_of(content))


def samples_of(content: bytes) -> FloatArray:
    """Mono samples `[n]` at 16 kHz of a sound file.

    Raises:
        WebError: It is no sound.
    """
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise WebError(f"this sound cannot be read: {error}") from error
    mono: FloatArray = np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32))
    if rate_hz == _RATE_HZ:
        return mono
    resampler = StreamResampler(rate_hz, _RATE_HZ)
    return np.concatenate([resampler.push(mono), resampler.flush()])


def _stored_frames(content: bytes) -> FloatArray:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            frames = np.asarray(arrays["roll_db"], np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise WebError(f"this spectrogram cannot be read: {error}") from error
    if frames.ndim != 2 or frames.shape[1] != _BANDS or not np.isfinite(frames).all():
        raise WebError(f"this spectrogram is {list(frames.shape)}, not [frames, {_BANDS}] of finite values")
    return frames


def _shrunk(frames: FloatArray, most_frames: int, bands: int) -> FloatArray:
    """Mean power over neighbouring frames and bands."""
    step, wide = max(1, -(-len(frames) // most_frames)), frames.shape[1] // bands
    length = len(frames) // step * step
    if length == 0:
        return frames
    power = 10.0 ** (frames[:length] / 10.0)
    blocks = power.reshape(length // step, step, bands, wide).mean(axis=(1, 3))
    shrunk: FloatArray = (10.0 * np.log10(np.maximum(blocks, 1e-20))).astype(np.float32)
    return shrunk
