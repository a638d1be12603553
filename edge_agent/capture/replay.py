"""Recordings as sources: one file, or several joined into one stream."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np

from edge_agent.capture.audio_file import AudioFile
from edge_agent.capture.files import InputError
from edge_agent.capture.source import Block, SourceError

ChannelChoice = Sequence[int] | Literal["all"] | None
"""Which channels of a file: indexes from 0 in the order wanted, all, or none named (right for mono files only)."""

BLOCK_SAMPLES: Final = 32_768
"""Samples per block unless told otherwise: 2 s at 16 kHz."""

_READ_SAMPLES: Final = 65_536
"""Samples read at a time where blocks are smaller; a call per block of one sample would be 100 times slower."""


class FileSource:
    """One recording as a source: the file, checked whole before the first block, at its own rate.

    Args:
        path: A WAV or FLAC file.
        channels: Which of its channels to hand over. There is no silent downmix: a file of several channels
            needs a choice.
        block_samples: Samples per block; the last one may be shorter.
        source_id: Name of the source; the file's path by default.

    Raises:
        InputError: The file is no sound recording, or its channels do not fit the choice.
    """

    restartable = True

    def __init__(
        self,
        path: Path,
        *,
        channels: ChannelChoice = None,
        block_samples: int = BLOCK_SAMPLES,
        source_id: str | None = None,
    ) -> None:
        if block_samples < 1:
            msg = f"block_samples must be 1 or more, not {block_samples}"
            raise ValueError(msg)
        self.path = path
        self.source_id = str(path) if source_id is None else source_id
        self._block_samples = block_samples
        self._closed = threading.Event()
        self._file = AudioFile(path)
        try:
            self._picked = pick_channels(path, self._file.channels, channels)
        except BaseException:
            self._file.close()
            raise

    @property
    def rate_hz(self) -> int:
        """The file's sample rate in Hz."""
        return self._file.rate_hz

    @property
    def channels(self) -> int:
        """Number of channels handed over."""
        return len(self._picked)

    @property
    def frames(self) -> int:
        """Samples per channel in the file."""
        return self._file.frames

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.frames / self.rate_hz

    def blocks(self) -> Iterator[Block]:
        """Yield the recording from its start.

        Raises:
            SourceError: The source is closed, or the file became unreadable since it was opened.
        """
        if self._closed.is_set():
            msg = f"{self.source_id}: is closed; open it again"
            raise SourceError(msg)
        return self._blocks()

    def close(self) -> None:
        """Free the file; running iterators end."""
        self._closed.set()
        self._file.close()

    def _blocks(self) -> Iterator[Block]:
        per_read = max(1, _READ_SAMPLES // self._block_samples) * self._block_samples
        everything = self._picked == tuple(range(self._file.channels))
        for first in range(0, self.frames, per_read):
            wanted = min(per_read, self.frames - first)
            try:
                samples = self._file.read(first, wanted)
            except SourceError:
                if self._closed.is_set():
                    return
                raise
            if not everything:
                samples = np.ascontiguousarray(samples[:, self._picked])
            for start in range(0, wanted, self._block_samples):
                if self._closed.is_set():
                    return
                yield Block(samples[start : start + self._block_samples], first + start)


class StreamSource:
    """Several recordings joined into one continuous stream, in the order given.

    All files are checked whole when the source is made, so that a bad one stops nothing half way; they are
    opened again one at a time. They must share one sample rate and one number of chosen channels: the books
    are kept in native samples, and a device does not change its rate either.

    Args:
        paths: WAV or FLAC files, at least one.
        channels: Which channels of each file, as in `FileSource`.
        block_samples: Samples per block; a block never crosses from one file into the next.
        source_id: Name of the source.

    Raises:
        InputError: A file is no sound recording, or does not fit the first one.
    """

    restartable = True

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        channels: ChannelChoice = None,
        block_samples: int = BLOCK_SAMPLES,
        source_id: str = "stream",
    ) -> None:
        if not paths:
            raise InputError("(no path)", "there is nothing to join", "name at least one recording")
        self.source_id = source_id
        self.paths = tuple(paths)
        self._choice = channels
        self._block_samples = block_samples
        self._closed = threading.Event()
        lengths = []
        for path in paths:
            source = self._open(path)
            lengths.append(source.frames)
            if path is paths[0]:
                self.rate_hz = source.rate_hz
                self.channels = source.channels
            source.close()
            if (source.rate_hz, source.channels) != (self.rate_hz, self.channels):
                what = (
                    f"has {source.rate_hz} Hz and {source.channels} channels where {paths[0]} has "
                    f"{self.rate_hz} Hz and {self.channels}, so they cannot be joined"
                )
                raise InputError(path, what, "replay it by itself or convert it")
        self._starts = tuple(accumulate(lengths, initial=0))

    @property
    def frames(self) -> int:
        """Samples per channel of the whole stream."""
        return self._starts[-1]

    def path_at(self, sample: int) -> Path:
        """The file that holds a sample of the stream; the last one for what lies after the end."""
        index = bisect_right(self._starts, sample) - 1
        return self.paths[min(max(index, 0), len(self.paths) - 1)]

    def blocks(self) -> Iterator[Block]:
        """Yield the stream from its start.

        Raises:
            SourceError: The source is closed, or a file was changed since it was checked.
        """
        if self._closed.is_set():
            msg = f"{self.source_id}: is closed; open it again"
            raise SourceError(msg)
        return self._blocks()

    def close(self) -> None:
        """End the stream; running iterators end at the next block."""
        self._closed.set()

    def _open(self, path: Path) -> FileSource:
        return FileSource(path, channels=self._choice, block_samples=self._block_samples)

    def _blocks(self) -> Iterator[Block]:
        for path, (start, stop) in zip(self.paths, pairwise(self._starts), strict=True):
            if self._closed.is_set():
                return
            source = self._open(path)
            try:
                if (source.frames, source.rate_hz, source.channels) != (stop - start, self.rate_hz, self.channels):
                    what = "was changed since the stream was opened"
                    raise InputError(path, what, "do not write to recordings meanwhile")
                for block in source.blocks():
                    if self._closed.is_set():
                        return
                    yield Block(block.samples, start + block.first_sample)
            finally:
                source.close()


def pick_channels(path: Path, available: int, choice: ChannelChoice) -> tuple[int, ...]:
    """The channels to hand over, as indexes from 0.

    Raises:
        InputError: Several channels and none named, or one named that the file does not have.
    """
    if choice == "all":
        return tuple(range(available))
    if choice is None:
        if available > 1:
            mend = f"say which machine listens to which (channel 0 to {available - 1})"
            raise InputError(path, f"has {available} channels and none was chosen", mend)
        return (0,)
    picked = tuple(int(index) for index in choice)
    if not picked or not all(0 <= index < available for index in picked):
        raise InputError(path, f"has {available} channels, not the chosen {list(picked)}", "count them from 0")
    return picked
