"""The commonest recording by far, read without libsndfile: a WAV file of 16-bit words and nothing else."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 44
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FORMAT_BYTES, _PCM, _WORD_BYTES = 16, 1, 2


@dataclass(frozen=True, slots=True)
class PlainWav:
    """What the header says; the words begin right behind it, channel by channel, the lower byte first.

    Attributes:
        rate_hz: Sample rate in Hz.
        channels: Number of channels.
        frames: Samples per channel.
    """

    rate_hz: int
    channels: int
    frames: int


def plain_wav(head: bytes, size_bytes: int) -> PlainWav | None:
    """Read the header of a file that is a format chunk and a data chunk, every number in it agreeing with the others.

    Args:
        head: The first `HEADER_BYTES` of the file.
        size_bytes: Size of the file.

    Returns:
        None for every other file, sound or not: libsndfile is to be asked.

    >>> sound = (16, 1, 1, 8000, 16000, 2, 16)
    >>> head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 42, b"WAVE", b"fmt ", *sound, b"data", 6)
    >>> plain_wav(head, 50), plain_wav(head, 49)
    (PlainWav(rate_hz=8000, channels=1, frames=3), None)
    """
    if len(head) != HEADER_BYTES:
        return None
    riff, riff_bytes, wave, fmt, fmt_bytes, tag, channels, rate_hz, rate_bytes, step, bits, data, data_bytes = (
        _HEADER.unpack(head)
    )
    is_plain = (
        (riff, wave, fmt, data) == (b"RIFF", b"WAVE", b"fmt ", b"data")
        and (fmt_bytes, tag, bits) == (_FORMAT_BYTES, _PCM, 8 * _WORD_BYTES)
        and channels > 0
        and step == channels * _WORD_BYTES
        and rate_bytes == rate_hz * step
        and data_bytes % step == 0
        and data_bytes == size_bytes - HEADER_BYTES
        and riff_bytes == size_bytes - 8
    )
    return PlainWav(rate_hz, channels, data_bytes // step) if is_plain else None
