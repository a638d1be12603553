"""Resampling to the rate of the signal contract, as a stream."""

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_agent.signal.settings import MAX_RATE_HZ, MIN_RATE_HZ, SignalError

_CHUNKS_PER_S = 50


def rescale_position(position: int, *, from_rate_hz: int, to_rate_hz: int) -> int:
    """Where a sample position of one rate lies at another: the nearest, and of two the later.

    Ranges that touch at one rate touch at the other, so that books kept at the native rate stay exact for windows that
    are counted at 16 kHz. In whole numbers, exact after any number of years.

    Example:
        >>> rescale_position(160_000, from_rate_hz=16_000, to_rate_hz=44_100)
        441000
    """
    return (2 * position * to_rate_hz + from_rate_hz) // (2 * from_rate_hz)


class StreamResampler:
    """One channel from its native rate to the target rate, with the filter's state kept across blocks.

    libsoxr ("HQ": linear phase, 20-bit) is fed in chunks of 20 ms on the stream's own grid, so that the output does not
    depend on how the input was cut. At equal rates samples pass untouched.
    """

    def __init__(self, rate_hz: int, target_rate_hz: int = 16_000) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise SignalError(f"sample rate {rate_hz} Hz is outside {MIN_RATE_HZ}-{MAX_RATE_HZ} Hz")
        self.rate_hz = rate_hz
        self.target_rate_hz = target_rate_hz
        self._chunk = np.empty(max(1, rate_hz // _CHUNKS_PER_S), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all state: the next sample begins a new stream."""
        self._filled = 0
        self._soxr: soxr.ResampleStream | None = None
        if self.rate_hz != self.target_rate_hz:
            self._soxr = soxr.ResampleStream(self.rate_hz, self.target_rate_hz, 1, dtype="float32", quality="HQ")

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take native samples `[n]`, return those at the target rate that are complete, `[m]`."""
        if self._soxr is None:
            return samples
        parts: list[NDArray[np.float32]] = []
        position = 0
        while position < len(samples):
            take = min(len(self._chunk) - self._filled, len(samples) - position)
            self._chunk[self._filled : self._filled + take] = samples[position : position + take]
            self._filled += take
            position += take
            if self._filled == len(self._chunk):
                parts.append(self._soxr.resample_chunk(self._chunk))
                self._filled = 0
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def flush(self) -> NDArray[np.float32]:
        """End the stream: return what the filter still holds, and start anew."""
        if self._soxr is None:
            return np.empty(0, np.float32)
        rest: NDArray[np.float32] = self._soxr.resample_chunk(self._chunk[: self._filled], last=True)
        self.reset()
        return rest
