"""Recordings from files through the pipeline: what replay, commissioning and benchmarks share."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent.booked import BookedChannel
from edge_agent.capture.files import is_log_mel
from edge_agent.capture.ledger import SCORED, LedgerSnapshot, SampleLedger
from edge_agent.capture.log_mel_clips import LogMelClips
from edge_agent.capture.reasons import Skipped
from edge_agent.capture.replay import BLOCK_SAMPLES, ChannelChoice, FileSource, StreamSource
from edge_agent.detection.features import WindowFeatures
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.runtime import MAX_BATCH
from edge_agent.pipeline.analyse import AnalysedWindow, Analyser, WindowShape
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
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
        block_samples: int = BLOCK_SAMPLES,
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
        if is_log_mel(path):
            for clip in LogMelClips(path):
                window = self._analyser.clip(clip.log_mel_db, self._settings, clip.first_frame)
                rejected = self._policy.reject(window)
                self.books.add_clip(window.duration_s, scored=rejected is None)
                yield OfflineWindow(path, clip.index, 0, clip.machine_id, True, window, rejected)
            return
        source = FileSource(path, channels=self._channels, block_samples=self._block_samples)
        try:
            for channel, window, rejected in self._windows(source):
                yield OfflineWindow(path, None, channel, None, window.index == 0, window, rejected)
        finally:
            source.close()

    def stream(self, paths: Iterable[Path]) -> Iterator[OfflineWindow]:
        """The windows of several sound files joined into one continuous stream.

        Raises:
            InputError: A file cannot be used or does not fit the others; nothing was yielded.
        """
        source = StreamSource(tuple(paths), channels=self._channels, block_samples=self._block_samples)
        for channel, window, rejected in self._windows(source):
            path = source.path_at(window.start)
            yield OfflineWindow(path, None, channel, None, window.index == 0, window, rejected)

    def _windows(self, source: FileSource | StreamSource) -> Iterator[tuple[int, AnalysedWindow, Unscorable | None]]:
        channels = [
            BookedChannel(
                self._settings,
                self._shape,
                source.rate_hz,
                SampleLedger(source.source_id, index),
                transform=self._transform,
            )
            for index in range(source.channels)
        ]
        index_of = {id(channel.stream): index for index, channel in enumerate(channels)}

        def finished() -> Iterator[tuple[int, AnalysedWindow, Unscorable | None]]:
            for stream, window in self._analyser.drain(channel.stream for channel in channels):
                index = index_of[id(stream)]
                rejected = self._policy.reject(window)
                channels[index].settle(window, SCORED if rejected is None else Skipped(rejected.value))
                yield index, window, rejected

        for block in source.blocks():
            for index, channel in enumerate(channels):
                channel.push(block.samples[:, index], block.first_sample)
            # nobody waits for a patch: encoded once a window is whole, or a batch of them is
            if any(c.stream.closed_windows or len(c.stream.pending_patches) >= MAX_BATCH for c in channels):
                yield from finished()
        for channel in channels:
            channel.stream.finish()
        yield from finished()
        for channel in channels:
            self.books.add(channel.close(Skipped.TAIL), source.rate_hz)
