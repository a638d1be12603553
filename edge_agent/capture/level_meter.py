"""Live levels of a device, for whoever mounts a microphone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.capture.source import Source

_FULL_SCALE = 1.0 - 2.0**-15


@dataclass(frozen=True, slots=True)
class ChannelLevel:
    """One channel over a short time.

    Attributes:
        rms_dbfs: Level in dB of full scale; None for digital silence.
        peak_dbfs: Highest sample; None for digital silence.
        clipped: Samples at full scale.
    """

    rms_dbfs: float | None
    peak_dbfs: float | None
    clipped: int


def levels_of(samples: npt.NDArray[np.float32]) -> tuple[ChannelLevel, ...]:
    """Levels of `[n, channels]` samples.

    >>> levels_of(np.full((4, 1), 0.1, np.float32))
    (ChannelLevel(rms_dbfs=-20.0, peak_dbfs=-20.0, clipped=0),)
    """
    rms = np.sqrt(np.mean(np.square(samples, dtype=np.float64), axis=0))
    peak = np.abs(samples).max(axis=0)
    clipped = np.count_nonzero(np.abs(samples) >= _FULL_SCALE, axis=0)
    return tuple(
        ChannelLevel(_dbfs(float(one)), _dbfs(float(top)), int(count))
        for one, top, count in zip(rms, peak, clipped, strict=True)
    )


def watch_levels(source: Source, every_s: float, seconds: float) -> Iterator[tuple[ChannelLevel, ...]]:
    """Levels of each stretch of `every_s` for `seconds` of sound; closes the source.

    Raises:
        SourceError: The source fails.
    """
    left = round(seconds * source.rate_hz)
    held: list[npt.NDArray[np.float32]] = []
    try:
        for block in source.blocks():
            held.append(block.samples)
            left -= len(block.samples)
            if left <= 0 or sum(map(len, held)) >= every_s * source.rate_hz:
                yield levels_of(np.concatenate(held))
                held.clear()
            if left <= 0:
                return
    finally:
        source.close()


def render(levels: tuple[ChannelLevel, ...], width: int = 30, floor_dbfs: float = -90.0) -> str:
    """One line: a bar, level and peak for every channel.

    >>> print(render((ChannelLevel(-45.0, -40.0, 0), ChannelLevel(None, None, 0)), width=4))
    0 [##  ]  -45.0 dBFS peak  -40.0 | 1 [    ] digital silence
    """
    parts = []
    for index, level in enumerate(levels):
        if level.rms_dbfs is None or level.peak_dbfs is None:
            parts.append(f"{index} [{' ' * width}] digital silence")
            continue
        filled = round(width * min(1.0, max(0.0, 1 - level.rms_dbfs / floor_dbfs)))
        clipped = f" CLIPPED {level.clipped}" if level.clipped else ""
        bar = "#" * filled + " " * (width - filled)
        parts.append(f"{index} [{bar}] {level.rms_dbfs:6.1f} dBFS peak {level.peak_dbfs:6.1f}{clipped}")
    return " | ".join(parts)


def _dbfs(amplitude: float) -> float | None:
    return round(20 * float(np.log10(amplitude)), 1) + 0.0 if amplitude > 0 else None
