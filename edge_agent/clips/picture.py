"""A small picture of two spectrograms side by side, before and after: PNG with a palette, no library needed."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_SPAN_DB = 60.0
_DIVIDER = 3
_STOPS = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Dark to light, as in the colour map "inferno" (N. Smith, S. van der Walt, 2015): grey when printed, safe for the
colour-blind."""


def before_after_png(before_db: FloatArray | None, after_db: FloatArray) -> bytes:
    """Two spectrograms on one scale: the last normal window, and the one that raised the alarm.

    Args:
        before_db: `[frames, bands]`, dB; None where there was no normal window yet: the picture shows one panel.
        after_db: `[frames, bands]`.

    Returns:
        A PNG, one pixel per frame and band, low bands at the bottom, from the loudest value 60 dB down.
    """
    shown = [panel for panel in (before_db, after_db) if panel is not None and len(panel)]
    top_db = max((float(panel.max()) for panel in shown), default=0.0)
    columns: list[NDArray[np.uint8]] = []
    for panel in shown:
        if columns:
            columns.append(np.full((panel.shape[1], _DIVIDER), 255, np.uint8))
        level = np.clip((panel.T[::-1] - top_db + _SPAN_DB) / _SPAN_DB, 0.0, 1.0)
        columns.append((level * 254).astype(np.uint8))
    return _png(np.concatenate(columns, axis=1) if columns else np.zeros((1, 1), np.uint8))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """An image `[height, width]` of palette indices (PNG specification, ISO/IEC 15948)."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter type, 0: none
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", header), (b"PLTE", _palette()), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""),
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _palette() -> bytes:
    at = np.linspace(0, len(_STOPS) - 1, 255)
    colours = np.stack([np.interp(at, range(len(_STOPS)), [stop[c] for stop in _STOPS]) for c in range(3)], axis=1)
    palette = np.rint(np.vstack([colours, [[255, 255, 255]]])).astype(np.uint8)
    return bytes(palette.tobytes())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
