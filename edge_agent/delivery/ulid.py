"""ULIDs: sortable unique ids of events and alarms."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_RANDOM_BITS = 80
_RANDOM_BYTES = _RANDOM_BITS // 8
_MAX_TIME_MS = (1 << 48) - 1

ULID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
"""What every id matches; the first character is at most 7, for 26 base-32 digits hold 130 bits."""


def encode_ulid(value: int) -> str:
    """Write a 128-bit number in Crockford's base 32, 26 characters.

    >>> encode_ulid(0)
    '00000000000000000000000000'
    >>> encode_ulid((1 << 128) - 1)
    '7ZZZZZZZZZZZZZZZZZZZZZZZZZ'
    """
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


class UlidFactory:
    """Makes ids that grow strictly, also within a millisecond and when the clock is set back.

    48 bits of milliseconds, then 80 random bits; while the clock does not advance the last id is counted up
    (https://github.com/ulid/spec, monotonicity). May be called from any thread.

    Args:
        now_ms: Wall clock, milliseconds since 1970.
        randomness: Returns that many random bytes, `os.urandom` in the agent.

    >>> ulids = UlidFactory(now_ms=lambda: 1_700_000_000_000, randomness=bytes)
    >>> ulids(), ulids()
    ('01HF7YAT000000000000000000', '01HF7YAT000000000000000001')
    """

    def __init__(self, *, now_ms: Callable[[], int], randomness: Callable[[int], bytes]) -> None:
        self._now_ms = now_ms
        self._randomness = randomness
        self._lock = threading.Lock()
        self._last = -1

    @classmethod
    def of_this_computer(cls) -> UlidFactory:
        """By this computer's clock and randomness."""
        return cls(now_ms=lambda: time.time_ns() // 1_000_000, randomness=os.urandom)

    def __call__(self) -> str:
        """The next id."""
        with self._lock:
            time_ms = min(max(self._now_ms(), 0), _MAX_TIME_MS)
            if time_ms > self._last >> _RANDOM_BITS:
                self._last = (time_ms << _RANDOM_BITS) | int.from_bytes(self._randomness(_RANDOM_BYTES), "big")
            else:
                self._last += 1
            return encode_ulid(self._last)
