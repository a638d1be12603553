"""The seam to a sound device: a stream of raw samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.capture.errors import SourceError
from edge_agent.capture.limits import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ

DEVICE_BUFFER_S: Final = 1.0
"""Sound that the driver holds for a reader that is late; PortAudio's own "high" is 35 ms on some devices."""

BLOCK_S: Final = 0.1
"""Sound that is read at once."""


@dataclass(frozen=True)
class DeviceSettings:
    """What to open and how.

    Attributes:
        device: Token of the device (see `devices.find_device`, `pulse_token`); never an index.
        rate_hz: Sample rate to record at.
        channels: Channels to record, the first ones of the device.
    """

    device: str
    rate_hz: int
    channels: int = 1

    def __post_init__(self) -> None:
        """Refuse what no device offers."""
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ or not 1 <= self.channels <= MAX_CHANNELS:
            msg = (
                f"device {self.device!r}: {self.rate_hz} Hz and {self.channels} channels are outside "
                f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz and 1 to {MAX_CHANNELS} channels"
            )
            raise SourceError(msg)

    @property
    def block_samples(self) -> int:
        """Samples per channel that are read at once."""
        return max(1, round(self.rate_hz * BLOCK_S))


class RawStream(Protocol):
    """An open, running device. Used by one thread, in a process of its own: any call may never return."""

    def available(self) -> int:
        """Samples per channel that `read` gives without waiting. Raises `SourceError` on a fault."""

    def read(self, n: int) -> tuple[bytes, bool]:
        """Wait for `n` interleaved float32 samples per channel; also whether samples were lost just before them.

        Raises `SourceError` on a fault.
        """


OpenStream = Callable[[DeviceSettings], RawStream]
"""Opens a device or raises `SourceError`."""
