"""Recordings from files through the pipeline: what replay, commissioning and benchmarks share."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.hearing.underway import RecordingUnderWay
from edge_agent.capture.files import is_log_mel
from edge_agent.capture.ledger import LedgerSnapshot
from edge_agent.capture.log_mel_clips import LogMelClip, LogMelClips
from edge_agent.capture.replay import ChannelChoice, FileSource, StreamSource
from edge_agent.capture.source import SourceError
from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.logmel import LogMelTransform


@dataclass(frozen=True)
class OfflineWindow:
    """One analysed window and where it came from.

    Attributes:
        path: The file.
        clip: Index of the clip in an `.npz` file; None for sound.
        channel: Index of the channel among those heard.
        machine_id: The machine that an `.npz` file names for the clip, if it does.
        begins_recording: Whether this is the first window of its recording.
        window: The window.
        rejected: Why it is not to be scored; None if it is.
    """

    path: Path
    clip: int | None
    channel: int
    machine_id: str | None
    begins_recording: bool
    window: AnalysedWindow
    rejected: Unscorable | None

    @property
    def file(self) -> str:
        """The file's path as text that every encoding takes: bytes of it that are no UTF-8 are escaped."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @property
    def name(self) -> str:
        """The recording's name for people: the file, and the clip where there are several."""
        return self.file if self.clip is None else f"{self.file}[{self.clip}]"


@dataclass(frozen=True)
class Refused:
    """Where a recording cannot be used, or not any further.

    Attributes:
        error: Why.
    """

    error: SourceError


OFFLINE_BLOCK_SAMPLES = 163_840
"""Samples read at a time: nobody waits for them, and a window at the standard rate is then one block."""

STEP_WINDOWS = 16
"""Windows that a step waits for: their features, two and a half megabytes, are what replay keeps of any recording."""


@dataclass
class Books:
    """Seconds of sound of all recordings so far: `captured = scored + skipped`, for samples exactly."""

    captured_s: float = 0.0
    scored_s: float = 0.0
    skipped_s: float = 0.0

    def add(self, reading: LedgerSnapshot, rate_hz: int) -> None:
        """Add the closed ledger of one channel.

        Raises:
            AssertionError: A sample is unaccounted for.
        """
        if reading.balance or reading.pending:
            raise AssertionError(
                f"{reading.source}: {reading.balance} samples unaccounted for, {reading.pending} pending"
            )
        self.captured_s += reading.captured / rate_hz
        self.scored_s += reading.scored / rate_hz
        self.skipped_s += sum(reading.skipped.values()) / rate_hz

    def add_clip(self, duration_s: float, *, scored: bool) -> None:
        """Add a clip of log-mel frames, which is one window."""
        self.captured_s += duration_s
        if scored:
            self.scored_s += duration_s
        else:
            self.skipped_s += duration_s


class OfflineAnalyser:
    """Runs recordings through the path that live sources take, as fast as the processor allows.

    Args:
        bundle: Whose encoder is used.
        shape: Window and hop.
        policy: Which windows are scored.
        channels: Which channels of sound files are heard; None is right for mono files.
        block_samples: Samples per block; changes nothing but memory and speed.
    """

    def __init__(
        self,
        bundle: Bundle,
        shape: WindowShape,
        policy: ScorePolicy | None = None,
        *,
        channels: ChannelChoice = None,
        block_samples: int = OFFLINE_BLOCK_SAMPLES,
    ) -> None:
        self.books = Books()
        self._settings = bundle.manifest.signal
        self._shape = shape
        self._policy = policy or ScorePolicy(window_s=shape.window_s)
        self._channels = channels
        self._block_samples = block_samples
        self._analyser = Analyser(bundle.encoder())
        self._transform = LogMelTransform(self._settings)

    def begin_books(self) -> Books:
        """Begin new books, which are `books` from now on."""
        self.books = Books()
        return self.books

    def features(self, log_mel_db: NDArray[np.float32]) -> WindowFeatures:
        """Features of a window that exists as log-mel frames `[frames, 128]` only."""
        return self._analyser.clip(log_mel_db, self._settings).features

    def recording(self, path: Path) -> Iterator[OfflineWindow]:
        """The windows of one file, each clip of an `.npz` being a recording of its own.

        Raises:
            InputError: The file cannot be used; nothing of it was yielded.
        """
        for step in self.recordings((path,)):
            for item in step:
                if isinstance(item, Refused):
                    raise item.error
                yield item

    def recordings(self, paths: Iterable[Path]) -> Iterator[tuple[OfflineWindow | Refused, ...]]:
        """The windows of many files in their order, those of several seconds or files at each step.

        What a step costs is mostly its calls, and that the processor's caches hold what the step before left there. A
        file that cannot be used stands among the windows where its own would.
        """
        held: list[_Held] = []
        for path in paths:
            try:
                if is_log_mel(path):
                    for clip in LogMelClips(path):
                        held.append(self._clip(path, clip))
                        if _waiting(held) >= STEP_WINDOWS:
                            yield self._step(held)
                    continue
                with closing(FileSource(path, channels=self._channels, block_samples=self._block_samples)) as source:
                    yield from self._hear(source, partial(_always, path), held)
            except SourceError as error:
                held.append(Refused(error))
            if _waiting(held) >= STEP_WINDOWS:
                yield self._step(held)
        if held:
            yield self._step(held)

    def stream(self, paths: Iterable[Path]) -> Iterator[tuple[OfflineWindow | Refused, ...]]:
        """The windows of several sound files joined into one continuous stream, some at each step.

        Raises:
            InputError: A file cannot be used or does not fit the others; nothing was yielded.
        """
        source = StreamSource(tuple(paths), channels=self._channels, block_samples=self._block_samples)
        held: list[_Held] = []
        try:
            yield from self._hear(source, source.path_at, held)
        except SourceError as error:
            held.append(Refused(error))
        yield self._step(held)

    def _hear(
        self, source: FileSource | StreamSource, path_at: Callable[[int], Path], held: "list[_Held]"
    ) -> Iterator[tuple[OfflineWindow | Refused, ...]]:
        """Feed a source to its end, with a step whenever enough waits; the rest of it waits when this ends."""
        recording = RecordingUnderWay(source, path_at, self._settings, self._shape, self._transform)
        held.append(recording)
        for block in source.blocks():
            recording.push(block)
            self._analyser.prepare(recording.streams)
            if _waiting(held) >= STEP_WINDOWS:
                yield self._step(held)
        recording.finish()
        self._analyser.prepare(recording.streams)

    def _clip(self, path: Path, clip: LogMelClip) -> OfflineWindow:
        window = self._analyser.clip(clip.log_mel_db, self._settings, clip.first_frame)
        rejected = self._policy.reject(window)
        self.books.add_clip(window.duration_s, scored=rejected is None)
        return OfflineWindow(path, clip.index, 0, clip.machine_id, True, window, rejected)

    def _step(self, held: "list[_Held]") -> tuple[OfflineWindow | Refused, ...]:
        """Encode all that waits and take it, in order; a recording that is still read goes on waiting."""
        underway = [each for each in held if isinstance(each, RecordingUnderWay)]
        self._analyser.encode(stream for recording in underway for stream in recording.streams)
        found: list[OfflineWindow | Refused] = []
        for each in held:
            if not isinstance(each, RecordingUnderWay):
                found.append(each)
                continue
            for path, channel, window, rejected in each.take(self._analyser, self._policy):
                found.append(OfflineWindow(path, None, channel, None, window.index == 0, window, rejected))
            if each.finished:
                for reading in each.close():
                    self.books.add(reading, each.rate_hz)
        held[:] = [each for each in held[-1:] if isinstance(each, RecordingUnderWay) and not each.finished]
        return tuple(found)


_Held = RecordingUnderWay | OfflineWindow | Refused


def _waiting(held: Sequence[_Held]) -> int:
    """How many windows wait for the next step."""
    return sum(each.waiting if isinstance(each, RecordingUnderWay) else 1 for each in held)


def _always(path: Path, _: int) -> Path:
    return path
