"""Level and condition of the input, measured before resampling."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_S = 0.032
FULL_SCALE_CLIP = 0.999
_INT16 = 32_768.0
_SILENCE_MEAN_SQUARE = 1e-20
_ALL_BITS = 0xFFFF
_BUFFERED = 16  # chunks; a call for each would cost more than the measuring
_WORDS_AT_ONCE = 2_048
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
    """

    rms_dbfs: float | None
    peak_dbfs: float | None
    dc: float
    clipped_fraction: float
    repeated_fraction: float
    used_bits: int


class InputMeter:
    """Measures one channel at its native rate in chunks of 32 ms on the stream's own grid, whatever the blocks' sizes.

    Keeps the chunks of the last `keep_s` seconds; `reading` sums those that lie within a stretch. What a sum does not
    round is kept of stretches of chunks, not of each, where it is known which of them readings ask for together.

    Args:
        rate_hz: Native rate.
        keep_s: How far back a reading may reach.
        next_border: After a native sample the next one at which a reading may begin or end; without it, any. Of a
            reading that begins or ends elsewhere the level is exact all the same; the rest is that of the stretches
            which it cuts, too.
    """

    def __init__(self, rate_hz: int, keep_s: float, next_border: Callable[[int], int] | None = None) -> None:
        self.chunk_samples = max(1, round(rate_hz * CHUNK_S))
        self._next_border = next_border or (lambda position: position + 1)
        capacity = int(keep_s / CHUNK_S) + 2
        self._sums = np.zeros((capacity, 2))  # sum, sum of squares
        self._stretches: deque[_Stretch] = deque()
        self._buffer = np.empty(min(_BUFFERED, capacity) * self.chunk_samples, np.float32)
        self._ones = np.ones(self.chunk_samples)
        self._filled = 0
        self.skip(0)

    def skip(self, position: int) -> None:
        """Continue at native sample `position` after a gap: chunks before it, or cut by it, are dropped."""
        self._first_chunk = self._stop_chunk = -(-position // self.chunk_samples)
        self._discard = self._first_chunk * self.chunk_samples - position
        self._filled = 0
        self._buffered_peak = 0.0
        self._last_sample = np.float32(np.nan)
        self._stretches.clear()

    def push(self, samples: NDArray[np.float32], peak: float = math.inf) -> None:
        """Take native samples `[n]`, full scale 1.0, none larger than `peak`."""
        filled = self._filled + len(samples)
        if filled < len(self._buffer) and not self._discard:  # as most blocks of a device
            self._buffer[self._filled : filled] = samples
            self._buffered_peak = max(self._buffered_peak, peak)
            self._filled = filled
            return
        position = min(self._discard, len(samples))
        self._discard -= position
        while position < len(samples):
            left = len(samples) - position
            if self._filled == 0 and left >= len(self._buffer):  # straight from the block: no copy
                stop = position + min(_MOST_AT_ONCE, len(self._sums), left // self.chunk_samples) * self.chunk_samples
                self._measure(samples[position:stop], peak)
                position = stop
                continue
            take = min(len(self._buffer) - self._filled, left)
            self._buffer[self._filled : self._filled + take] = samples[position : position + take]
            self._buffered_peak = max(self._buffered_peak, peak)
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
        # with borders rightly said none of them reaches beyond the reading
        own = [each for each in self._stretches if each.first < last and each.stop > first]
        counted = sum(each.stop - each.first for each in own) * self.chunk_samples
        total, squares = np.add.reduce(self._kept_sums(first, last), axis=0).tolist()
        n = (last - first) * self.chunk_samples
        dc = total / n
        peak = max(each.peak for each in own)
        return LevelReading(
            rms_dbfs=_dbfs(squares / n - dc * dc),
            peak_dbfs=_dbfs(peak * peak),
            dc=dc,
            clipped_fraction=sum(each.clipped for each in own) / counted,
            repeated_fraction=sum(each.repeated for each in own) / counted,
            used_bits=_changed_bits(own).bit_count(),
        )

    def _kept_sums(self, first: int, last: int) -> NDArray[np.float64]:
        """Sums and sums of squares of chunks, in their order."""
        place = first % len(self._sums)
        stop = place + last - first
        if stop <= len(self._sums):
            return self._sums[place:stop]
        return np.concatenate([self._sums[place:], self._sums[: stop - len(self._sums)]])

    def _measure_buffer(self) -> None:
        """Measure the whole chunks that wait."""
        whole = self._filled // self.chunk_samples * self.chunk_samples
        if whole:
            self._measure(self._buffer[:whole], self._buffered_peak)
            rest = self._filled - whole
            self._buffer[:rest] = self._buffer[whole : self._filled]
            self._filled = rest
            if not rest:
                self._buffered_peak = 0.0

    def _measure(self, samples: NDArray[np.float32], peak: float) -> None:
        """Take whole chunks, one after the other, none larger than `peak`."""
        rows = np.ascontiguousarray(samples).reshape(-1, self.chunk_samples)
        place = self._stop_chunk % len(self._sums)
        at_end = min(len(rows), len(self._sums) - place)
        wide = rows.astype(np.float64)  # of float32 samples the sums are then exact: a level far below a DC stays right
        sums, squares = wide @ self._ones, np.matmul(wide[:, None, :], wide[:, :, None])[:, 0, 0]
        self._sums[place : place + at_end, 0], self._sums[place : place + at_end, 1] = sums[:at_end], squares[:at_end]
        rest = len(rows) - at_end
        self._sums[:rest, 0], self._sums[:rest, 1] = sums[at_end:], squares[at_end:]
        done = 0
        while done < len(rows):
            stretch = self._stretch()
            take = min(stretch.limit - stretch.stop, len(rows) - done)
            self._add(stretch, rows[done : done + take].reshape(-1), peak)
            stretch.stop += take
            self._stop_chunk += take
            done += take
        while self._stretches[0].first < self._stop_chunk - len(self._sums):
            self._first_chunk = self._stretches.popleft().stop

    def _stretch(self) -> "_Stretch":
        """The stretch that the next chunk belongs to."""
        if not self._stretches or self._stretches[-1].stop == self._stretches[-1].limit:
            first = self._stop_chunk
            border = self._next_border(first * self.chunk_samples)
            # a chunk that a border cuts is in no reading of either side
            self._stretches.append(_Stretch(first, first, max(border // self.chunk_samples, first + 1)))
        return self._stretches[-1]

    def _add(self, stretch: "_Stretch", samples: NDArray[np.float32], peak: float) -> None:
        if peak > stretch.peak:
            stretch.peak = max(stretch.peak, float(np.maximum.reduce(samples)), -float(np.minimum.reduce(samples)))
        if min(peak, stretch.peak) >= FULL_SCALE_CLIP:
            stretch.clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE_CLIP))
        same = np.count_nonzero(samples[1:] == samples[:-1])
        stretch.repeated += int(same) + int(samples[0] == self._last_sample)
        self._last_sample = samples[-1]
        for first in range(0, len(samples), _WORDS_AT_ONCE):
            if stretch.every == 0 and stretch.some == _ALL_BITS:
                break  # no bit is left that could still be told to change; most sound comes here soon
            scaled = samples[first : first + _WORDS_AT_ONCE] * np.float32(_INT16)
            if not stretch.peak < 1.0:
                np.clip(scaled, -_INT16, _INT16 - 1, out=scaled)
            words = scaled.astype(np.int16).view(np.uint16)
            stretch.some |= int(np.bitwise_or.reduce(words))
            stretch.every &= int(np.bitwise_and.reduce(words))


@dataclass(slots=True)
class _Stretch:
    """Neighbouring chunks that every reading takes together or not at all.

    Attributes:
        first, stop: The chunks so far.
        limit: Where it ends at the latest.
        peak: Largest absolute sample.
        clipped, repeated: Samples at full scale; samples equal to the one before.
        some, every: Bits of a 16-bit word that any, and that every sample has.
    """

    first: int
    stop: int
    limit: int
    peak: float = 0.0
    clipped: int = 0
    repeated: int = 0
    some: int = 0
    every: int = _ALL_BITS


def _changed_bits(stretches: Sequence[_Stretch]) -> int:
    some, every = 0, _ALL_BITS
    for each in stretches:
        some |= each.some
        every &= each.every
    return some & ~every & _ALL_BITS


def _dbfs(mean_square: float) -> float | None:
    return 10.0 * math.log10(mean_square) if mean_square > _SILENCE_MEAN_SQUARE else None
