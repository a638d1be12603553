"""Level and condition of the input, measured before resampling."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_S = 0.032
FULL_SCALE_CLIP = 0.999
_INT16 = 32_768.0
_SILENCE_MEAN_SQUARE = 1e-20


@dataclass(frozen=True, slots=True)
class LevelReading:
    """Level and condition of one stretch of input.

    Attributes:
        rms_dbfs: Root mean square less DC, dB re a full-scale square wave; None for digital silence.
        peak_dbfs: Largest absolute sample; None for digital silence.
        dc: Mean, full scale 1.0.
        clipped_fraction: Share of samples at full scale.
        repeated_fraction: Share of samples equal to the one before.
        used_bits: Bits of a 16-bit word that changed at all: 16 for a sound input, 0 for a frozen one.
        chunks_dbfs: Level of each 32 ms chunk, `[chunks]`, -200 for silence.
    """

    rms_dbfs: float | None
    peak_dbfs: float | None
    dc: float
    clipped_fraction: float
    repeated_fraction: float
    used_bits: int
    chunks_dbfs: NDArray[np.float32]


class InputMeter:
    """Measures one channel at its native rate in chunks of 32 ms on the stream's own grid, whatever the blocks' sizes.

    Keeps the chunks of the last `keep_s` seconds; `reading` sums those that lie within a stretch.
    """

    def __init__(self, rate_hz: int, keep_s: float) -> None:
        self.chunk_samples = max(1, round(rate_hz * CHUNK_S))
        capacity = int(keep_s / CHUNK_S) + 2
        self._sums = np.zeros((capacity, 5))  # sum, sum of squares, peak, clipped, repeated
        self._bits = np.zeros((capacity, 2), np.uint16)  # or, and
        self._buffer = np.empty(self.chunk_samples, np.float32)
        self.skip(0)

    def skip(self, position: int) -> None:
        """Continue at native sample `position` after a gap: chunks that the gap cut are dropped."""
        self._first_chunk = self._stop_chunk = -(-position // self.chunk_samples)
        self._discard = self._first_chunk * self.chunk_samples - position
        self._filled = 0
        self._last_sample = np.float32(np.nan)

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take native samples `[n]`, full scale 1.0."""
        position = min(self._discard, len(samples))
        self._discard -= position
        if self._filled:
            take = min(self.chunk_samples - self._filled, len(samples) - position)
            self._buffer[self._filled : self._filled + take] = samples[position : position + take]
            self._filled += take
            position += take
            if self._filled < self.chunk_samples:
                return
            self._measure(self._buffer[None, :])
        largest = len(self._bits)
        while (whole := min(largest, (len(samples) - position) // self.chunk_samples)) > 0:
            stop = position + whole * self.chunk_samples
            self._measure(np.ascontiguousarray(samples[position:stop]).reshape(whole, self.chunk_samples))
            position = stop
        self._filled = len(samples) - position
        self._buffer[: self._filled] = samples[position:]

    def reading(self, start: int, stop: int) -> LevelReading | None:
        """Sum of the chunks that lie wholly within native samples `[start, stop)`; None where none is kept."""
        first = max(-(-start // self.chunk_samples), self._first_chunk)
        last = min(stop // self.chunk_samples, self._stop_chunk)
        if first >= last:
            return None
        places = np.arange(first, last) % len(self._bits)
        sums, bits = self._sums[places], self._bits[places]
        n = len(places) * self.chunk_samples
        total, squares, _, clipped, repeated = sums.sum(axis=0).tolist()
        dc = total / n
        peak = float(sums[:, 2].max())
        changed = int(np.bitwise_or.reduce(bits[:, 0])) & ~int(np.bitwise_and.reduce(bits[:, 1])) & 0xFFFF
        chunk_power = np.maximum(sums[:, 1] / self.chunk_samples - dc * dc, _SILENCE_MEAN_SQUARE)
        return LevelReading(
            rms_dbfs=_dbfs(squares / n - dc * dc),
            peak_dbfs=_dbfs(peak * peak),
            dc=dc,
            clipped_fraction=clipped / n,
            repeated_fraction=repeated / n,
            used_bits=changed.bit_count(),
            chunks_dbfs=(10.0 * np.log10(chunk_power)).astype(np.float32),
        )

    def _measure(self, rows: NDArray[np.float32]) -> None:
        count = len(rows)
        places = np.arange(self._stop_chunk, self._stop_chunk + count) % len(self._bits)
        wide = rows.astype(np.float64)
        magnitude = np.abs(rows)
        before = np.append(self._last_sample, rows[:-1, -1])
        self._last_sample = rows[-1, -1]
        sums = self._sums
        sums[places, 0] = wide.sum(axis=1)
        sums[places, 1] = np.einsum("ij,ij->i", wide, wide)
        sums[places, 2] = magnitude.max(axis=1)
        sums[places, 3] = np.count_nonzero(magnitude >= FULL_SCALE_CLIP, axis=1)
        sums[places, 4] = np.count_nonzero(rows[:, 1:] == rows[:, :-1], axis=1) + (rows[:, 0] == before)
        words = np.clip(rows * _INT16, -_INT16, _INT16 - 1).astype(np.int16).view(np.uint16)
        self._bits[places, 0] = np.bitwise_or.reduce(words, axis=1)
        self._bits[places, 1] = np.bitwise_and.reduce(words, axis=1)
        self._stop_chunk += count
        self._first_chunk = max(self._first_chunk, self._stop_chunk - len(self._bits))
        self._filled = 0


def _dbfs(mean_square: float) -> float | None:
    return 10.0 * math.log10(mean_square) if mean_square > _SILENCE_MEAN_SQUARE else None
