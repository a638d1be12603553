"""Recordings from files through the pipeline: what replay, commissioning and benchmarks share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_agent.capture.files import is_log_mel
from edge_agent.capture.log_mel_clips import LogMelClips
from edge_agent.capture.replay import BLOCK_SAMPLES, ChannelChoice, FileSource, StreamSource
from edge_agent.inference.bundle import Bundle
from edge_agent.pipeline.analyse import AnalysedWindow, Analyser, ChannelStream, WindowShape


@dataclass(frozen=True)
class OfflineWindow:
    """One analysed window and where it came from.

    Attributes:
        path: The file.
        clip: Index of the clip in an `.npz` file; None for sound.
        channel: Index of the channel in the recording.
        machine_id: The machine that an `.npz` file names for the clip, if it does.
        begins_recording: Whether this is the first window of its recording.
        window: The window.
    """

    path: Path
    clip: int | None
    channel: int
    machine_id: str | None
    begins_recording: bool
    window: AnalysedWindow

    @property
    def name(self) -> str:
        """The recording's name for people: the file, and the clip where there are several."""
        return str(self.path) if self.clip is None else f"{self.path}[{self.clip}]"


class OfflineAnalyser:
    """Runs recordings through the path that live sources take, as fast as the processor allows.

    Args:
        bundle: Whose encoder is used.
        shape: Window and hop.
        channels: Which channels of sound files are heard; None is right for mono files.
        block_samples: Samples per block; changes nothing but memory and speed.
    """

    def __init__(
        self,
        bundle: Bundle,
        shape: WindowShape,
        *,
        channels: ChannelChoice = None,
        block_samples: int = BLOCK_SAMPLES,
    ) -> None:
        self._settings = bundle.manifest.signal
        self._shape = shape
        self._channels = channels
        self._block_samples = block_samples
        self._analyser = Analyser(bundle.encoder())

    def recording(self, path: Path) -> Iterator[OfflineWindow]:
        """The windows of one file, each clip of an `.npz` being a recording of its own.

        Raises:
            InputError: The file cannot be used; nothing of it was yielded.
        """
        if is_log_mel(path):
            for clip in LogMelClips(path):
                window = self._analyser.clip(clip.log_mel_db, self._settings)
                yield OfflineWindow(path, clip.index, 0, clip.machine_id, True, window)
            return
        source = FileSource(path, channels=self._channels, block_samples=self._block_samples)
        try:
            for channel, window in self._windows(source):
                yield OfflineWindow(path, None, channel, None, window.index == 0, window)
        finally:
            source.close()

    def stream(self, paths: Iterable[Path]) -> Iterator[OfflineWindow]:
        """The windows of several sound files joined into one continuous stream.

        Raises:
            InputError: A file cannot be used or does not fit the others; nothing was yielded.
        """
        source = StreamSource(tuple(paths), channels=self._channels, block_samples=self._block_samples)
        for channel, window in self._windows(source):
            yield OfflineWindow(source.path_at(window.start), None, channel, None, window.index == 0, window)

    def _windows(self, source: FileSource | StreamSource) -> Iterator[tuple[int, AnalysedWindow]]:
        streams = [ChannelStream(self._settings, self._shape, source.rate_hz) for _ in range(source.channels)]
        index_of = {id(stream): index for index, stream in enumerate(streams)}
        for block in source.blocks():
            for index, stream in enumerate(streams):
                stream.push(block.samples[:, index], block.first_sample)
            for stream, window in self._analyser.drain(streams):
                yield index_of[id(stream)], window
        for stream in streams:
            stream.finish()
        for stream, window in self._analyser.drain(streams):
            yield index_of[id(stream)], window
