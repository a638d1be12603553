"""The outbox's journal (SQLite's write-ahead log) as it lies there: what SQLite passes over without a word.

SQLite reads a journal up to the first frame whose checksum is wrong, and takes the rest for the remains of a kill. A
kill leaves one frame half written, the last; what was committed behind a wrong one is lost by damage, and to be told.
Format: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES = 32
SMALLEST_FRAME_BYTES = 24 + 512
_FRAME_HEADER_BYTES = 24
_MAGIC = 0x377F0682


@dataclass(frozen=True, slots=True)
class JournalMarks:
    """Frames of a journal by what their headers say, right or wrong; numbers begin with 1.

    Attributes:
        commits: The last frames of transactions.
        last: The last frame.
    """

    commits: tuple[int, ...] = ()
    last: int = 0

    def lost_behind(self, frame: int) -> bool:
        """Whether something was committed behind a frame that is not the remains of a kill."""
        return any(frame < commit < self.last for commit in self.commits)


def marks_of(wal: Path) -> JournalMarks:
    """What the journal holds; nothing where there is none, or none that can be read."""
    try:
        with wal.open("rb") as file:
            header = file.read(HEADER_BYTES)
            if not is_journal(header):
                return JournalMarks()
            page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
            commits: list[int] = []
            last = number = 0
            while len(frame := file.read(_FRAME_HEADER_BYTES + page_bytes)) == _FRAME_HEADER_BYTES + page_bytes:
                number += 1
                if frame[8:16] != salts:  # of a round before, or damaged
                    continue
                last = number
                if any(frame[4:8]):
                    commits.append(number)
    except OSError:
        return JournalMarks()
    return JournalMarks(tuple(commits), last)


def is_journal(header: bytes) -> bool:
    """Whether a journal begins with a whole header: magic number, and checksum of what is before it."""
    magic = int.from_bytes(header[:4], "big")
    if len(header) < HEADER_BYTES or magic & ~1 != _MAGIC:
        return False
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return struct.unpack(">2I", header[24:]) == (first, second)
