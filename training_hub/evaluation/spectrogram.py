"""A log-mel spectrogram as a PNG file, without an imaging library."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

RANGE_DB = 60.0
# black, violet, red, orange, pale yellow: monotone in lightness, so it survives a grey printer
_COLOURS = np.array([[4, 4, 16], [72, 16, 104], [176, 40, 88], [244, 124, 40], [252, 248, 176]], np.float64)


def spectrogram_png(log_mel_db: NDArray[np.float32]) -> bytes:
    """Time to the right, frequency upwards, the loudest 60 dB in colours.

    Args:
        log_mel_db: `[frames, bands]`, dB.

    Returns:
        A PNG of `frames` x `bands` pixels.
    """
    top = float(np.percentile(log_mel_db, 99.5))
    place = np.clip((log_mel_db.T[::-1] - (top - RANGE_DB)) / RANGE_DB, 0.0, 1.0) * (len(_COLOURS) - 1)
    steps = np.arange(len(_COLOURS))
    pixels = np.stack([np.interp(place, steps, _COLOURS[:, channel]) for channel in range(3)], axis=-1)
    return _png(pixels.round().astype(np.uint8))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # no row filter
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
