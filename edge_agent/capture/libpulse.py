"""The part of libpulse that recording needs, without callbacks: those need memory that is writable and executable.

Names and numbers are those of PulseAudio's `def.h`, `stream.h` and `sample.h`; PipeWire answers the same calls.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Final

from edge_agent.capture.errors import SourceError

MAX_PULSE_CHANNELS: Final = 32
"""`PA_CHANNELS_MAX`."""

READY_CONTEXT: Final = 4
READY_STREAM: Final = 2
GOOD_CONTEXT: Final = range(1, 5)
GOOD_STREAM: Final = range(1, 3)

_NO_AUTOSPAWN: Final = 0x0001
_NO_REMAP_CHANNELS: Final = 0x0010
_NO_REMIX_CHANNELS: Final = 0x0020
_FIX_CHANNELS: Final = 0x0100
_DONT_MOVE: Final = 0x0200
_ADJUST_LATENCY: Final = 0x2000
_FAIL_ON_SUSPEND: Final = 0x20000
RECORD_FLAGS: Final = (
    _NO_REMAP_CHANNELS | _NO_REMIX_CHANNELS | _FIX_CHANNELS | _DONT_MOVE | _ADJUST_LATENCY | _FAIL_ON_SUSPEND
)
"""The device's own channels, none mixed; this device and no other; an error where it stops."""

_FLOAT32_LE: Final = 5
_FLOAT32_BE: Final = 6
_POSITION_AUX0: Final = 12
_SERVER_DEFAULT: Final = 0xFFFFFFFF


class SampleSpec(ctypes.Structure):
    """`pa_sample_spec`."""

    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class ChannelMap(ctypes.Structure):
    """`pa_channel_map`."""

    _fields_ = (("channels", c_uint8), ("map", c_int * MAX_PULSE_CHANNELS))


class BufferAttributes(ctypes.Structure):
    """`pa_buffer_attr`."""

    _fields_ = (
        ("maxlength", c_uint32),
        ("tlength", c_uint32),
        ("prebuf", c_uint32),
        ("minreq", c_uint32),
        ("fragsize", c_uint32),
    )


def float_spec(rate_hz: int, channels: int) -> SampleSpec:
    """Float samples in this machine's byte order."""
    little = bytes(ctypes.c_uint16(1))[0] == 1
    return SampleSpec(_FLOAT32_LE if little else _FLOAT32_BE, rate_hz, channels)


def numbered_channels(channels: int) -> ChannelMap:
    """Channels that are numbered and have no place in a room, so that there is nothing to mix by."""
    return ChannelMap(channels, (c_int * MAX_PULSE_CHANNELS)(*(_POSITION_AUX0 + k for k in range(channels))))


def record_buffer(hold_bytes: int, fragment_bytes: int) -> BufferAttributes:
    """How much the server holds for a late reader, and how much it sends at once."""
    return BufferAttributes(hold_bytes, _SERVER_DEFAULT, _SERVER_DEFAULT, _SERVER_DEFAULT, fragment_bytes)


class LibPulse:
    """The library, with the types of its functions declared.

    Raises:
        SourceError: It is not installed.
    """

    NO_AUTOSPAWN: Final = _NO_AUTOSPAWN

    def __init__(self) -> None:
        try:
            lib = ctypes.CDLL("libpulse.so.0")
        except OSError as error:
            msg = f"PulseAudio and PipeWire sources need libpulse ({error}); install libpulse0 (Debian)"
            raise SourceError(msg) from error
        self.mainloop_new = _declare(lib.pa_mainloop_new, c_void_p)
        self.mainloop_get_api = _declare(lib.pa_mainloop_get_api, c_void_p, c_void_p)
        self.mainloop_iterate = _declare(lib.pa_mainloop_iterate, c_int, c_void_p, c_int, c_void_p)
        self.context_new = _declare(lib.pa_context_new, c_void_p, c_void_p, c_char_p)
        self.context_connect = _declare(lib.pa_context_connect, c_int, c_void_p, c_char_p, c_int, c_void_p)
        self.context_get_state = _declare(lib.pa_context_get_state, c_int, c_void_p)
        self.context_errno = _declare(lib.pa_context_errno, c_int, c_void_p)
        self.stream_new = _declare(
            lib.pa_stream_new, c_void_p, c_void_p, c_char_p, POINTER(SampleSpec), POINTER(ChannelMap)
        )
        self.stream_connect_record = _declare(
            lib.pa_stream_connect_record, c_int, c_void_p, c_char_p, POINTER(BufferAttributes), c_int
        )
        self.stream_get_state = _declare(lib.pa_stream_get_state, c_int, c_void_p)
        self.stream_get_device_name = _declare(lib.pa_stream_get_device_name, c_char_p, c_void_p)
        self.stream_get_sample_spec = _declare(lib.pa_stream_get_sample_spec, POINTER(SampleSpec), c_void_p)
        self.stream_readable_size = _declare(lib.pa_stream_readable_size, c_size_t, c_void_p)
        self.stream_peek = _declare(lib.pa_stream_peek, c_int, c_void_p, POINTER(c_void_p), POINTER(c_size_t))
        self.stream_drop = _declare(lib.pa_stream_drop, c_int, c_void_p)
        self._strerror = _declare(lib.pa_strerror, c_char_p, c_int)

    def peek(self, stream: int) -> tuple[int | None, int]:
        """Address and length of what can be read; no address and a length is a hole, no length is nothing."""
        data, size = c_void_p(), c_size_t()
        if self.stream_peek(stream, byref(data), byref(size)) < 0:
            raise SourceError("PulseAudio gives no samples")
        return data.value, size.value

    def why(self, context: int) -> str:
        """The last error of a connection."""
        return str(self._strerror(self.context_errno(context)).decode(errors="replace"))


def _declare(function: ctypes._NamedFuncPointer, result: object, *arguments: object) -> ctypes._NamedFuncPointer:
    function.restype = result  # type: ignore[assignment] # any type that ctypes knows
    function.argtypes = arguments  # type: ignore[assignment]
    return function
