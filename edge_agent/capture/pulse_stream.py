"""A raw stream of one PulseAudio or PipeWire source, by name."""

from __future__ import annotations

import ctypes
from array import array
from typing import Final

from edge_agent.capture.errors import SourceError
from edge_agent.capture.libpulse import (
    GOOD_CONTEXT,
    GOOD_STREAM,
    MAX_PULSE_CHANNELS,
    READY_CONTEXT,
    READY_STREAM,
    RECORD_FLAGS,
    LibPulse,
    float_spec,
    numbered_channels,
    record_buffer,
)
from edge_agent.capture.pulse_token import PulseToken
from edge_agent.capture.raw_stream import BLOCK_S, DEVICE_BUFFER_S, DeviceSettings
from edge_agent.capture.reasons import Lost

_SAMPLE_BYTES: Final = 4


class PulseStream:
    """A `RawStream` that records one named source, and nothing else.

    ALSA's PulseAudio plugin, which PortAudio would use, lets the server move a stream to another microphone and mix its
    channels. Here the server is told that the stream may not move, and gives the source's own channels; where the
    source goes away or is suspended, the stream fails. The server converts 16, 24 and 32 bits to float, and the rate.

    Args:
        settings: What to open; `settings.device` is a `PulseToken`.

    Raises:
        SourceError: libpulse, the server or the source is missing, or has too few channels.
    """

    def __init__(self, settings: DeviceSettings) -> None:
        if settings.channels > MAX_PULSE_CHANNELS:
            msg = (
                f"device {settings.device!r}: a sound server carries {MAX_PULSE_CHANNELS} channels at most, not "
                f"{settings.channels}; name the card itself (hw:CARD=...)"
            )
            raise SourceError(msg)
        self._pulse = LibPulse()
        self._name = settings.device
        self._token = PulseToken.parse(settings.device)
        self._wanted = settings.channels
        self._held = bytearray()
        self._hole = False
        self._loop: int = self._pulse.mainloop_new()
        self._context = self._connect()
        self._stream = self._record(settings)
        self._channels = self._check_channels()

    def available(self) -> int:
        """Samples that are here already."""
        waiting = len(self._held) + int(self._pulse.stream_readable_size(self._stream))
        return waiting // (_SAMPLE_BYTES * self._channels)

    def read(self, n: int) -> tuple[bytes, bool]:
        """Wait for samples; see `RawStream`."""
        wanted = n * self._channels * _SAMPLE_BYTES
        while len(self._held) < wanted:
            self._pump()
        self._check_identity()
        data = bytes(self._held[:wanted])
        del self._held[:wanted]
        hole, self._hole = self._hole, False
        return first_columns(data, self._channels, self._wanted), hole

    def _connect(self) -> int:
        pulse = self._pulse
        context: int = pulse.context_new(pulse.mainloop_get_api(self._loop), b"edge-agent")
        server = None if self._token.server is None else self._token.server.encode()
        failed = pulse.context_connect(context, server, pulse.NO_AUTOSPAWN, None) < 0
        while not failed and pulse.context_get_state(context) != READY_CONTEXT:
            failed = pulse.mainloop_iterate(self._loop, 1, None) < 0
            failed = failed or pulse.context_get_state(context) not in GOOD_CONTEXT
        if failed:
            server_name = self._token.server or "the user's sound server"
            msg = f"device {self._name!r}: no connection to {server_name} ({pulse.why(context)}); is it running?"
            raise SourceError(msg)
        return context

    def _record(self, settings: DeviceSettings) -> int:
        pulse, channels = self._pulse, settings.channels
        stream = pulse.stream_new(
            self._context, b"capture", float_spec(settings.rate_hz, channels), numbered_channels(channels)
        )
        if not stream:
            raise self._refused()
        second = settings.rate_hz * channels * _SAMPLE_BYTES
        buffer = record_buffer(round(second * DEVICE_BUFFER_S), round(second * BLOCK_S))
        if pulse.stream_connect_record(stream, self._token.source.encode(), buffer, RECORD_FLAGS) < 0:
            raise self._refused()
        while (state := pulse.stream_get_state(stream)) != READY_STREAM:
            if state not in GOOD_STREAM or pulse.mainloop_iterate(self._loop, 1, None) < 0:
                raise self._refused()
        return int(stream)

    def _check_channels(self) -> int:
        channels = int(self._pulse.stream_get_sample_spec(self._stream).contents.channels)
        if channels < self._wanted:
            msg = f"device {self._name!r} has {channels} channels, not {self._wanted}; correct the channels"
            raise SourceError(msg)
        return channels

    def _check_identity(self) -> None:
        name = self._pulse.stream_get_device_name(self._stream)
        heard = "nothing" if name is None else name.decode(errors="replace")
        if heard != self._token.source:
            raise SourceError(f"device {self._name!r}: the sound server moved the stream to {heard}; it is not used")

    def _pump(self) -> None:
        data, size = self._pulse.peek(self._stream)
        if size:
            if data is None:
                self._hole = True
            else:
                self._held += ctypes.string_at(data, size)
            self._pulse.stream_drop(self._stream)
            return
        over = self._pulse.mainloop_iterate(self._loop, 1, None) < 0
        if over or self._pulse.stream_get_state(self._stream) != READY_STREAM:
            msg = f"device {self._name!r} stopped ({self._pulse.why(self._context)}); was it unplugged?"
            raise SourceError(msg, Lost.UNPLUGGED)

    def _refused(self) -> SourceError:
        why = self._pulse.why(self._context)
        return SourceError(f"device {self._name!r} cannot be opened ({why}); `edge-agent devices` lists what is there")


def first_columns(data: bytes, channels: int, wanted: int) -> bytes:
    """The first `wanted` of interleaved float32 channels.

    >>> array("f", first_columns(array("f", [1, 2, 3, 4, 5, 6]).tobytes(), 3, 2)).tolist()
    [1.0, 2.0, 4.0, 5.0]
    """
    if wanted == channels:
        return data
    interleaved = array("f", data)
    chosen = array("f", bytes(len(data) // channels * wanted))
    for column in range(wanted):
        chosen[column::wanted] = interleaved[column::channels]
    return chosen.tobytes()
