"""The seam to a sound device: a stream of raw samples, and PortAudio's one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from edge_agent.capture.devices import find_device, list_devices, portaudio
from edge_agent.capture.source import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SourceError

DEVICE_BUFFER_S: Final = 1.0
"""Sound that the driver holds for a reader that is late; PortAudio's own "high" is 35 ms on some devices."""


@dataclass(frozen=True)
class DeviceSettings:
    """What to open and how.

    Attributes:
        device: Token or name of the device (see `devices.find_device`); never an index.
        rate_hz: Sample rate to record at.
        channels: Channels to record.
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


class RawStream(Protocol):
    """An open, running device. Used by one thread; the reader's tests have one without a device."""

    def available(self) -> int:
        """Samples per channel that `read` gives without waiting. Raises `SourceError` on a fault."""

    def read(self, n: int) -> tuple[bytes, bool]:
        """Wait for `n` interleaved float32 samples per channel; also whether samples were lost just before them.

        Raises `SourceError` on a fault; on a frozen device it may never return.
        """

    def close(self) -> None:
        """Stop and free the device; raises nothing. On a frozen device it may never return."""


OpenStream = Callable[[DeviceSettings], RawStream]
"""Opens a device or raises `SourceError`."""


class PortAudioStream:
    """A `RawStream` on PortAudio.

    Reads wait, without a callback: callbacks need memory that is both writable and executable, which
    `MemoryDenyWriteExecute=yes` forbids, and in callback mode an unplugged device goes unnoticed. Nor is the
    device polled: PortAudio recovers from an overflow only inside a read that waits (measured: a polled stream
    stayed silent after a pause of 0.5 s in the reader).

    Args:
        settings: What to open.

    Raises:
        SourceError: PortAudio or the device is missing, or refuses the rate or the channels.
    """

    def __init__(self, settings: DeviceSettings) -> None:
        sounddevice = portaudio()
        self._error: type[Exception] = sounddevice.PortAudioError
        self._name = settings.device
        device = find_device(settings.device, list_devices())
        if device.channels < settings.channels:
            msg = f"device {self._name!r} has {device.channels} channels, not {settings.channels}; correct the channels"
            raise SourceError(msg)
        try:
            # float32 holds 16- and 24-bit samples exactly, and dithering would hide a device whose bits are frozen.
            self._stream: Any = sounddevice.RawInputStream(
                device=device.index,
                samplerate=settings.rate_hz,
                channels=settings.channels,
                dtype="float32",
                latency=DEVICE_BUFFER_S,
                dither_off=True,
            )
            self._stream.start()
        except (self._error, ValueError) as error:
            mend = f"is it in use, and does it record at {settings.rate_hz} Hz?"
            msg = f"device {self._name!r} cannot be opened ({error}); {mend}"
            raise SourceError(msg) from error

    def available(self) -> int:
        """Samples that can be read at once."""
        try:
            return int(self._stream.read_available)
        except self._error as error:
            raise self._gone(error) from error

    def read(self, n: int) -> tuple[bytes, bool]:
        """Wait for samples; see `RawStream`."""
        try:
            data, overflowed = self._stream.read(n)
        except self._error as error:
            raise self._gone(error) from error
        return bytes(data), bool(overflowed)

    def close(self) -> None:
        """Stop and free the device."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _gone(self, error: Exception) -> SourceError:
        return SourceError(f"device {self._name!r} stopped ({error}); was it unplugged?")
