"""What every source of sound hands to the agent: blocks of samples on one sample clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from edge_agent.capture.errors import SourceError
from edge_agent.capture.limits import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from edge_agent.capture.reasons import Lost

__all__ = ["MAX_CHANNELS", "MAX_RATE_HZ", "MIN_RATE_HZ", "Block", "Source", "SourceError"]


@dataclass(frozen=True, eq=False)
class Block:
    """Contiguous samples of one source, stamped by its sample clock.

    Attributes:
        samples: float32 `[n, channels]`, C-contiguous, full scale = 1.0; `n` is at least 1.
        first_sample: Position of `samples[0]` on the source's own clock, in samples at its native
            rate, counted from 0. A block that starts after the previous one's `stop_sample` says
            that the samples between were lost (a gap); it never starts before it.
        gap_reason: Why the samples before `first_sample` are missing, where they are.
        captured_ns: Monotonic time at which the device had captured the last sample, where the source knows it.
    """

    samples: npt.NDArray[np.float32]
    first_sample: int
    gap_reason: Lost = Lost.GAP
    captured_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no source may hand over; a breach is a programming error."""
        shape = self.samples.shape
        if self.samples.dtype != np.float32 or not self.samples.flags.c_contiguous:
            msg = f"block samples must be C-contiguous float32, not {self.samples.dtype}"
            raise ValueError(msg)
        if len(shape) != 2 or shape[0] < 1 or not 1 <= shape[1] <= MAX_CHANNELS:
            msg = f"block samples must be [n >= 1, 1..{MAX_CHANNELS} channels], not {list(shape)}"
            raise ValueError(msg)
        if self.first_sample < 0:
            msg = f"first_sample must be 0 or more, not {self.first_sample}"
            raise ValueError(msg)

    @property
    def stop_sample(self) -> int:
        """Position after the last sample: where the next block starts if nothing is lost."""
        return self.first_sample + len(self.samples)


@runtime_checkable
class Source(Protocol):
    """One input: a microphone device, a file, a stream, a simulation.

    The contract, held by every implementation (`tests/capture/contract.py`):

    * `blocks()` yields blocks in order, never overlapping, and ends when the source ends; a fault
      raises `SourceError`, after every block that was whole has been yielded.
    * `restartable` says whether `blocks()` may be called again for the same samples from position
      0; where it is false a second call raises `SourceError`.
    * `close()` may be called at any time, from any thread, any number of times. It ends `blocks()`
      without an error, after what had been captured was handed over; afterwards `blocks()` raises
      `SourceError`.
    """

    @property
    def source_id(self) -> str:
        """Name of the source, as configured; `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}` for live ones."""

    @property
    def rate_hz(self) -> int:
        """Native sample rate in Hz, fixed for the source's life."""

    @property
    def channels(self) -> int:
        """Number of channels in every block."""

    @property
    def restartable(self) -> bool:
        """Whether `blocks()` may be called again and starts over."""

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks until the source ends or is closed; raise `SourceError` on a fault."""

    def close(self) -> None:
        """End the source and free what it holds; calling it again does nothing."""
