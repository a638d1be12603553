"""Level and condition of the input, measured before resampling."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_S = 0.032
FULL_SCALE_CLIP = 0.999
_INT16 = 32_768.0
_SILENCE_MEAN_SQUARE = 1e-20
_BYTES = 8  # of a 64-bit word
_BUFFERED = 16  # chunks; a call for each would cost more than the measuring
_MOST_AT_ONCE = 64  # chunks; what is made of them on the way then stays in the processor's cache


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
        self._buffer = np.empty(min(_BUFFERED, capacity) * self.chunk_samples, np.float32)
        self._filled = 0
        self.skip(0)

    def skip(self, position: int) -> None:
        """Continue at native sample `position` after a gap: chunks before it, or cut by it, are dropped."""
        self._first_chunk = self._stop_chunk = -(-position // self.chunk_samples)
        self._discard = self._first_chunk * self.chunk_samples - position
        self._filled = 0
        self._last_sample = np.float32(np.nan)

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take native samples `[n]`, full scale 1.0."""
        position = min(self._discard, len(samples))
        self._discard -= position
        while position < len(samples):
            left = len(samples) - position
            if self._filled == 0 and left >= len(self._buffer):  # straight from the block: no copy
                stop = position + min(_MOST_AT_ONCE, len(self._bits), left // self.chunk_samples) * self.chunk_samples
                self._measure(samples[position:stop])
                position = stop
                continue
            take = min(len(self._buffer) - self._filled, left)
            self._buffer[self._filled : self._filled + take] = samples[position : position + take]
            self._filled += take
            position += take
            if self._filled == len(self._buffer):
                self._measure_buffer()

    def reading(self, start: int, stop: int) -> LevelReading | None:
        """Sum of the chunks that lie wholly within native samples `[start, stop)`; None where none is kept."""
        self._measure_buffer()
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

    def _measure_buffer(self) -> None:
        """Measure the whole chunks that wait."""
        whole = self._filled // self.chunk_samples * self.chunk_samples
        if whole:
            self._measure(self._buffer[:whole])
            rest = self._filled - whole
            self._buffer[:rest] = self._buffer[whole : self._filled]
            self._filled = rest

    def _measure(self, samples: NDArray[np.float32]) -> None:
        """Take whole chunks, one after the other."""
        rows = np.ascontiguousarray(samples).reshape(-1, self.chunk_samples)
        places = np.arange(self._stop_chunk, self._stop_chunk + len(rows)) % len(self._bits)
        wide = rows.astype(np.float64)  # of float32 samples the sums are then exact: a level far below a DC stays right
        peak = np.abs(rows).max(axis=1)
        largest = float(peak.max())
        sums = self._sums
        sums[places, 0] = np.einsum("ij->i", wide)
        sums[places, 1] = np.einsum("ij,ij->i", wide, wide)
        sums[places, 2] = peak
        sums[places, 3] = 0 if largest < FULL_SCALE_CLIP else np.count_nonzero(np.abs(rows) >= FULL_SCALE_CLIP, axis=1)
        sums[places, 4] = self._repeats(rows)
        scaled = rows * np.float32(_INT16)
        if not largest < 1.0:
            np.clip(scaled, -_INT16, _INT16 - 1, out=scaled)
        words = scaled.astype(np.int16).view(np.uint16)
        self._bits[places, 0] = np.bitwise_or.reduce(words, axis=1)
        self._bits[places, 1] = np.bitwise_and.reduce(words, axis=1)
        self._stop_chunk += len(rows)
        self._first_chunk = max(self._first_chunk, self._stop_chunk - len(self._bits))

    def _repeats(self, rows: NDArray[np.float32]) -> NDArray[np.integer[Any]]:
        """How many samples of each chunk equal the one before, that of the chunk before included."""
        samples = rows.reshape(-1)
        same = np.empty(len(samples), np.bool_)
        same[0] = samples[0] == self._last_sample
        np.equal(samples[1:], samples[:-1], out=same[1:])
        self._last_sample = samples[-1]
        if self.chunk_samples % _BYTES == 0 and self.chunk_samples <= _BYTES * 255:
            # eight counters in the bytes of each word: numpy counts rows of bools one by one, five times slower
            words = same.reshape(rows.shape).view(np.uint64).sum(axis=1)
            return np.asarray(words.view(np.uint8).reshape(len(rows), _BYTES).sum(axis=1, dtype=np.int64))
        return np.asarray(np.count_nonzero(same.reshape(rows.shape), axis=1))


def _dbfs(mean_square: float) -> float | None:
    return 10.0 * math.log10(mean_square) if mean_square > _SILENCE_MEAN_SQUARE else None
