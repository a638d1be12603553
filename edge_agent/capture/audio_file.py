"""Opens one WAV or FLAC file as hostile input: wholly checked before the first sample is handed out."""

from __future__ import annotations

import importlib
import os
import stat
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from edge_agent.capture.files import InputError
from edge_agent.capture.limits import MAX_PEAK
from edge_agent.capture.plain_wav import HEADER_BYTES, PlainWav, plain_wav
from edge_agent.capture.riff import RiffError, container, declared_data_end
from edge_agent.capture.source import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, SourceError

MAX_DURATION_S: Final = 24 * 3600
"""Longest recording taken as one file."""

MEMORY_SAMPLES: Final = 4 * 1024 * 1024
"""A file of at most this many samples (16 MiB, all channels) is decoded once and kept; a longer one is streamed."""

_SCAN_SAMPLES: Final = 1024 * 1024
_SHORT_SAMPLES: Final = 256 * 1024
_PIECE_SAMPLES: Final = 32 * 1024
_WORD: Final = np.float32(2**-15)
_CUT_SHORT: Final = "it was cut short: copy it again"
_FLOAT_SUBTYPES: Final = frozenset({"FLOAT", "DOUBLE"})
_SUBTYPES: Final = _FLOAT_SUBTYPES | {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32"}


class AudioFile:
    """One checked recording. Reads are by position, so any number of readers may share it.

    A checked file is one whose container is WAV, RF64, Wave64 or FLAC, whose header agrees with the data,
    that decodes to its end, and whose samples are finite and near full scale.

    Args:
        path: The file.

    Attributes:
        path: The file.
        rate_hz: Sample rate in Hz.
        channels: Number of channels.
        frames: Samples per channel.

    Raises:
        InputError: The file is not such a recording; nothing was handed out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._handle = open_regular(path)
        self._file: Any = None
        try:
            plain = self._plain()
            if plain is not None:
                self.rate_hz, self.channels, self.frames = plain.rate_hz, plain.channels, plain.frames
                short = self.frames * self.channels <= _SHORT_SAMPLES
                self._memory: npt.NDArray[np.float32 | np.int16] | None = (
                    self._plain_numbers() if short else self._plain_words()
                )
                self._handle.close()
                return
            kind = _check_container(path, self._handle)
            self._file = _open_soundfile(path, self._handle)
            self.rate_hz = int(self._file.samplerate)
            self.channels = int(self._file.channels)
            self.frames = int(self._file.frames)
            self._check_header(kind)
            self._memory = self._check_samples(kind)
            if self._memory is not None:
                self._file.close()
                self._handle.close()
        except OSError as error:
            self._handle.close()
            raise InputError(path, f"cannot be read ({error.strerror})", "check the disk") from error
        except BaseException:
            self._handle.close()
            raise

    def read(self, first: int, n: int) -> npt.NDArray[np.float32]:
        """Samples `[first, first + n)` of all channels, float32 `[n, channels]`, full scale 1.0.

        Raises:
            SourceError: The file was changed or became unreadable since it was checked, or is closed.
        """
        memory = self._memory
        if memory is not None:
            kept = memory[first : first + n]
            if kept.dtype == np.float32:
                return np.asarray(kept, np.float32)
            # words until they are wanted: half the memory, and a block is still in the cache when it is used
            return np.multiply(kept, _WORD, dtype=np.float32)
        samples = np.empty((n, self.channels), dtype=np.float32)
        with self._lock:
            if self._file is None or self._file.closed:
                msg = f"{self.path}: is closed"
                raise SourceError(msg)
            try:
                self._file.seek(first)
                got = len(self._file.read(out=samples))
            except RuntimeError as error:
                msg = f"{self.path}: cannot be read any more at sample {first} ({error}); check the disk"
                raise SourceError(msg) from error
        if got < n:
            msg = f"{self.path}: ended at sample {first + got} while being read; do not write to it meanwhile"
            raise SourceError(msg)
        return samples

    def close(self) -> None:
        """Free the file; calling it again does nothing."""
        with self._lock:
            self._memory = None
            if self._file is not None:
                self._file.close()
            self._handle.close()

    def _plain(self) -> PlainWav | None:
        """What the header of a plain file says, where it can be kept and breaks no limit; else libsndfile is asked."""
        descriptor = self._handle.fileno()
        plain = plain_wav(os.pread(descriptor, HEADER_BYTES, 0), os.fstat(descriptor).st_size)
        if plain is None:
            return None
        fits = MIN_RATE_HZ <= plain.rate_hz <= MAX_RATE_HZ and plain.channels <= MAX_CHANNELS
        short = 1 <= plain.frames <= MAX_DURATION_S * plain.rate_hz
        return plain if fits and short and plain.frames * plain.channels <= MEMORY_SAMPLES else None

    def _plain_numbers(self) -> npt.NDArray[np.float32]:
        """A short plain file as numbers, each piece of words made so while the processor's cache holds it."""
        numbers = np.empty((self.frames, self.channels), np.float32)
        flat, words = numbers.reshape(-1), np.empty(_PIECE_SAMPLES, dtype="<i2")
        for first in range(0, len(flat), _PIECE_SAMPLES):
            piece = flat[first : first + _PIECE_SAMPLES]
            own = words[: len(piece)]
            got = os.preadv(self._handle.fileno(), [own.data], HEADER_BYTES + first * own.itemsize) // own.itemsize
            if got < len(own):
                whole = (first + got) // self.channels
                raise InputError(self.path, f"ends after {whole} of {self.frames} samples", _CUT_SHORT)
            piece[...] = own
            piece *= _WORD
        return numbers

    def _plain_words(self) -> npt.NDArray[np.int16]:
        words = np.empty((self.frames, self.channels), dtype="<i2")
        got = os.preadv(self._handle.fileno(), [words.data], HEADER_BYTES) // (words.itemsize * self.channels)
        if got < self.frames:
            raise InputError(self.path, f"ends after {got} of {self.frames} samples", _CUT_SHORT)
        return words

    def _check_header(self, kind: str) -> None:
        subtype = str(self._file.subtype)
        if subtype not in _SUBTYPES:
            raise InputError(self.path, f"holds {subtype} sound", "convert it to PCM or FLAC")
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            what = f"has a sample rate of {self.rate_hz} Hz, outside {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
            raise InputError(self.path, what, "convert it, or mend its header")
        if not 1 <= self.channels <= MAX_CHANNELS:
            what = f"has {self.channels} channels, more than {MAX_CHANNELS}"
            raise InputError(self.path, what, "split it into several files")
        if self.frames < 1:
            raise InputError(self.path, "holds no samples", "record it again or remove it")
        if self.frames > MAX_DURATION_S * self.rate_hz:
            unknown = kind == "flac" and self.frames > 2**36  # what a FLAC header of a streamed file amounts to
            what = "does not say how long it is" if unknown else f"is longer than {MAX_DURATION_S // 3600} hours"
            raise InputError(self.path, what, "encode it again with flac" if unknown else "split it")

    def _check_samples(self, kind: str) -> npt.NDArray[np.float32 | np.int16] | None:
        is_float = self._file.subtype in _FLOAT_SUBTYPES
        keep = self.frames * self.channels <= MEMORY_SAMPLES
        if not keep and not is_float and kind != "flac":
            return None  # integers cannot be wrong, and the header was held against the file's size
        if keep and self._file.subtype == "PCM_16":
            return self._read_words()
        step = self.frames if keep else max(1, _SCAN_SAMPLES // self.channels)
        buffer = np.empty((step, self.channels), dtype=np.float32)
        for first in range(0, self.frames, step):
            wanted = min(step, self.frames - first)
            try:
                got = len(self._file.read(out=buffer[:wanted]))
            except RuntimeError as error:
                raise InputError(self.path, f"is damaged or cut short ({error})", "copy it again") from error
            if got < wanted:
                raise InputError(self.path, f"ends after {first + got} of {self.frames} samples", _CUT_SHORT)
            if is_float:
                self._check_finite(buffer[:wanted], first)
        return buffer if keep else None

    def _read_words(self) -> npt.NDArray[np.int16]:
        """The whole file of 16-bit words; `read` makes numbers of them as libsndfile does, at a quarter of its time."""
        words = np.empty((self.frames, self.channels), dtype=np.int16)
        try:
            got = len(self._file.read(out=words))
        except RuntimeError as error:
            raise InputError(self.path, f"is damaged or cut short ({error})", "copy it again") from error
        if got < self.frames:
            raise InputError(self.path, f"ends after {got} of {self.frames} samples", _CUT_SHORT)
        return words

    def _check_finite(self, samples: npt.NDArray[np.float32], first: int) -> None:
        if np.max(np.abs(samples)) <= MAX_PEAK:  # false for NaN too
            return
        bad = ~(np.abs(samples) <= MAX_PEAK)
        frame, channel = np.argwhere(bad)[0]
        value = samples[frame, channel]
        what = f"has the sample value {value} at {first + frame} in channel {channel}"
        mend = "scale it so that full scale is 1.0" if np.isfinite(value) else "record or convert it again"
        raise InputError(self.path, what, mend)


def _soundfile() -> ModuleType:
    try:
        # Only where files are read: it needs libsndfile, which the wheel for 32-bit Arm lacks.
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        msg = f"soundfile cannot be loaded ({error}); install it, and libsndfile1 where its wheel has none"
        raise SourceError(msg) from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular, not empty file for reading; a pipe or a device would never end.

    Raises:
        InputError: It is no such file, or may not be read.
    """
    try:
        # Not blocking: opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(path, f"cannot be opened ({reason})", "check the path and its rights") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        os.close(descriptor)
        what = "is empty" if stat.S_ISREG(status.st_mode) else "is not a regular file"
        raise InputError(path, what, "give a recording")
    return os.fdopen(descriptor, "rb")


def _check_container(path: Path, file: BinaryIO) -> str:
    kind = container(file.read(16))
    if kind is None:
        raise InputError(path, "is no WAV or FLAC file (by its first bytes)", "convert it to WAV or FLAC")
    if kind == "flac":
        return kind
    try:
        end = declared_data_end(file, kind)
    except (RiffError, OSError, OverflowError) as error:
        raise InputError(path, f"is a broken WAV file: {error}", "copy or convert it again") from error
    missing = end - os.fstat(file.fileno()).st_size
    if missing > 0:
        raise InputError(path, f"is cut short: {missing} bytes that its header promises are missing", "copy it again")
    return kind


def _open_soundfile(path: Path, file: BinaryIO) -> Any:  # noqa: ANN401 (soundfile has no types)
    soundfile = _soundfile()
    os.lseek(file.fileno(), 0, os.SEEK_SET)  # not file.seek, which may only move within its buffer
    try:
        # By descriptor: the very file that was checked, whatever its path names by now. It stays ours to close, as
        # libsndfile's way of closing it depends on how far opening got.
        return soundfile.SoundFile(file.fileno(), closefd=False)
    except (RuntimeError, OSError, ValueError) as error:
        reason = getattr(error, "error_string", error)
        raise InputError(path, f"cannot be decoded ({reason})", "convert it to WAV or FLAC") from error
