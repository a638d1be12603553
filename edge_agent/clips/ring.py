"""The last minute or so of one channel, in memory only: what a clip is cut from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 32_768.0
_LOWEST, _HIGHEST = -32_768, 32_767


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Contiguous sound of one channel.

    Attributes:
        first_sample: Position of its first sample on the stream's clock, at the rate of the signal contract.
        samples: int16 `[n]`; what was lost is silence.
        gaps: Stretches of `samples` that were lost, `[start, stop)` each.
        clipped_samples: Samples that were beyond full scale and were cut to it.
    """

    first_sample: int
    samples: NDArray[np.int16]
    gaps: tuple[tuple[int, int], ...] = ()
    clipped_samples: int = 0

    @property
    def coverage(self) -> float:
        """Share of the samples that were not lost, 0 to 1."""
        lost = sum(stop - start for start, stop in self.gaps)
        return (len(self.samples) - lost) / len(self.samples) if len(self.samples) else 0.0


class AudioRing:
    """Keeps the newest samples of a stream as 16 bits: half of what float32 takes, and exact for 16-bit devices.

    One thread uses it. Its memory is taken once, `nbytes`, and never grows.

    Args:
        capacity_samples: How many samples it holds.

    >>> ring = AudioRing(4)
    >>> ring.push(np.array([0.5, -0.5, 0.25], np.float32))
    >>> ring.gap(2)
    >>> found = ring.cut(1, 9)
    >>> found.first_sample, found.samples.tolist(), found.gaps
    (1, [-16384, 8192, 0, 0], ((2, 4),))
    """

    def __init__(self, capacity_samples: int) -> None:
        self._ring = np.zeros(capacity_samples, np.int16)
        self._gaps: list[tuple[int, int]] = []
        self._clipped: list[tuple[int, int]] = []
        self._position = 0

    @property
    def position(self) -> int:
        """Next sample of the stream."""
        return self._position

    @property
    def nbytes(self) -> int:
        """Memory of the samples."""
        return self._ring.nbytes

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples `[n]`, full scale 1.0."""
        steps = np.rint(samples[-len(self._ring) :] * np.float32(FULL_SCALE))
        # +1.0 itself has no 16-bit value; the step below it is as near as 16 bits get, and no clipping
        if clipped := int(np.count_nonzero(np.abs(steps) > FULL_SCALE)):
            self._clipped.append((self._position, clipped))
        self._write(np.clip(steps, _LOWEST, _HIGHEST).astype(np.int16), len(samples))

    def gap(self, count: int) -> None:
        """`count` samples were lost here."""
        if count <= 0:
            return
        if self._gaps and self._gaps[-1][1] == self._position:
            self._gaps[-1] = (self._gaps[-1][0], self._position + count)
        else:
            self._gaps.append((self._position, self._position + count))
        self._write(np.zeros(min(count, len(self._ring)), np.int16), count)

    def cut(self, start: int, stop: int) -> Stretch:
        """A copy of what is still here of `[start, stop)`; empty where nothing is."""
        start = max(start, self._position - len(self._ring), 0)
        stop = max(start, min(stop, self._position))
        at = start % len(self._ring)
        head = self._ring[at : at + stop - start]
        samples = np.concatenate([head, self._ring[: stop - start - len(head)]])
        gaps = tuple(
            (max(first, start) - start, min(last, stop) - start)
            for first, last in self._gaps
            if first < stop and last > start
        )
        clipped = sum(count for position, count in self._clipped if start <= position < stop)
        return Stretch(start, samples, gaps, clipped)

    def _write(self, newest: NDArray[np.int16], count: int) -> None:
        """Write the newest of `count` samples; those before them would be overwritten at once."""
        self._position += count
        at = (self._position - len(newest)) % len(self._ring)
        head = min(len(newest), len(self._ring) - at)
        self._ring[at : at + head] = newest[:head]
        self._ring[: len(newest) - head] = newest[head:]
        oldest = self._position - len(self._ring)
        self._gaps = [gap for gap in self._gaps if gap[1] > oldest]
        self._clipped = [item for item in self._clipped if item[0] >= oldest]
