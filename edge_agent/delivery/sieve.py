"""Cuts what a broker sends to a size that the gateway can bear, before the MQTT library sees it. No socket of its own.

The library takes any packet into memory, up to 256 MB of it, and reads properties in a time that grows with the square
of their number. MQTT 3.1.1 knows no way to ask a broker for less.
"""

from __future__ import annotations

import struct
from typing import Final

KEPT_BYTES: Final = 64 * 1024
"""Of a longer message the rest is dropped: enough is left to see that it is too large, and who waits for an answer."""

MAX_PROPERTIES_BYTES: Final = 8 * 1024
"""A message with more of them loses them all."""

_PUBLISH: Final = 3
_PINGRESP: Final = b"\xd0\x00"
_MAX_LENGTH_DIGITS: Final = 4
_FIXED_HEADER_BYTES: Final = 1 + _MAX_LENGTH_DIGITS


class SieveError(Exception):
    """The broker sends what is no MQTT, or nothing that it may send to this gateway."""


class Sieve:
    r"""Bytes of a broker in, bytes for the library out: the same, but for messages that are too long.

    Args:
        mqtt5: Whether messages have properties.

    >>> Sieve(mqtt5=False).feed(bytes([0x30, 5, 0, 1, 65, 72, 105]))
    b'0\x05\x00\x01AHi'
    """

    def __init__(self, *, mqtt5: bool) -> None:
        self._mqtt5 = mqtt5
        self._held = bytearray()
        self._to_skip = 0
        self._skipped = 0

    @property
    def skipping(self) -> bool:
        """Whether the rest of a long message is on its way, and nothing behind it can arrive."""
        return self._to_skip > 0

    def feed(self, data: bytes) -> bytes:
        """What the library may read now, after these bytes came.

        Raises:
            SieveError: The broker breaks the rules; the connection is to be ended.
        """
        passed = bytearray()
        self._held += data
        while self._held:
            if self._to_skip:
                passed += self._skip()
                continue
            packet = self._next()
            if packet is None:
                break
            passed += packet
        return bytes(passed)

    def _skip(self) -> bytes:
        count = min(self._to_skip, len(self._held))
        del self._held[:count]
        self._to_skip -= count
        self._skipped += count
        # The answer to a ping may be stuck behind this message, and the line is alive: the library is told so.
        pings, self._skipped = divmod(self._skipped, KEPT_BYTES)
        return _PINGRESP * pings

    def _next(self) -> bytes | None:
        """The next packet, whole or cut; None while too little of it is there."""
        header = self._header()
        if header is None:
            return None
        start, length = header
        kind = self._held[0] >> 4
        if kind == _PUBLISH:
            if self._held[0] & 0x06 > 0x02:
                raise SieveError("a message with QoS 2, which nobody asked it for")
        elif length > KEPT_BYTES:
            raise SieveError(f"a packet of kind {kind} with {length} bytes")
        kept = min(length, KEPT_BYTES)
        if len(self._held) < start + kept:
            return None
        body = bytes(self._held[start : start + kept])
        first = self._held[0]
        del self._held[: start + kept]
        self._to_skip = length - kept
        if kind == _PUBLISH:
            body = self._slim(first, body)
        return bytes([first]) + _length(len(body)) + body

    def _header(self) -> tuple[int, int] | None:
        """Where the body begins, and its length; None while that is not known."""
        length = 0
        for place, digit in enumerate(self._held[1:_FIXED_HEADER_BYTES]):
            length |= (digit & 0x7F) << (7 * place)
            if not digit & 0x80:
                return place + 2, length
        if len(self._held) >= _FIXED_HEADER_BYTES:
            raise SieveError("a packet whose length has no end")
        return None

    def _slim(self, first: int, body: bytes) -> bytes:
        """A message without its properties where those are too many, and whole otherwise."""
        if not self._mqtt5:
            return body
        try:
            (topic_bytes,) = struct.unpack_from("!H", body)
            place = 2 + topic_bytes + (2 if first & 0x06 else 0)
            properties = digits = 0
            while True:
                digit = body[place + digits]
                properties |= (digit & 0x7F) << (7 * digits)
                digits += 1
                if not digit & 0x80:
                    break
                if digits == _MAX_LENGTH_DIGITS:
                    raise SieveError("a message whose properties have no end")
        except (struct.error, IndexError):
            raise SieveError("a message that is cut short") from None
        if properties <= MAX_PROPERTIES_BYTES:
            return body
        # So long that it is refused for that: what it asks for was not read whole.
        return body[:place] + b"\x00" + body[place + digits + properties :].ljust(KEPT_BYTES - place - 1, b" ")


def _length(length: int) -> bytes:
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(digits)
