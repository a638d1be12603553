"""Streaming sum of many filtered inputs, one FFT per input and one back."""

from __future__ import annotations

import ducc0
import numpy as np
import numpy.typing as npt


class OverlapAdd:
    """Filters blocks of `taps` samples by FIRs of `taps` samples and adds the results, with the tails carried over.

    Overlap-add: a block zero-padded to twice its length loses nothing to circular wrap, so block-wise output equals the
    convolution of the whole. As only the summed tail is kept, inputs may come and go from block to block.
    """

    def __init__(self, taps: int) -> None:
        self._taps = taps
        self._padded = np.zeros(2 * taps, np.float32)
        self._sum = np.zeros(taps + 1, np.complex64)
        self._tail = np.zeros(taps, np.float32)

    def add(self, block: npt.NDArray[np.float32], response: npt.NDArray[np.complex64]) -> None:
        """Add one input block float32 `[taps]` through `response` complex64 `[taps + 1]`."""
        self._padded[: self._taps] = block
        self._sum += ducc0.fft.r2c(self._padded, nthreads=1) * response

    def take(self) -> npt.NDArray[np.float32]:
        """The finished output block float32 `[taps]` of all that was added since the last call."""
        whole = ducc0.fft.c2r(self._sum, lastsize=2 * self._taps, forward=False, inorm=2, nthreads=1)
        finished: npt.NDArray[np.float32] = whole[: self._taps] + self._tail
        self._tail = whole[self._taps :].copy()
        self._sum[:] = 0
        return finished
