"""A raw stream on PortAudio: ALSA devices."""

from __future__ import annotations

from typing import Any

from edge_agent.capture.devices import find_device
from edge_agent.capture.errors import SourceError
from edge_agent.capture.portaudio import list_devices, portaudio
from edge_agent.capture.raw_stream import DEVICE_BUFFER_S, DeviceSettings


class PortAudioStream:
    """A `RawStream` on PortAudio.

    Reads wait, without a callback: callbacks need memory that is both writable and executable, which
    `MemoryDenyWriteExecute=yes` forbids, and in callback mode an unplugged device goes unnoticed. Nor is the
    device polled: PortAudio recovers from an overflow only inside a read that waits (measured: a polled stream
    stayed silent after a pause of 0.5 s in the reader).

    Of a card with more channels than asked for PortAudio takes the first ones; it mixes none.

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

    def _gone(self, error: Exception) -> SourceError:
        return SourceError(f"device {self._name!r} stopped ({error}); was it unplugged?")
