"""A recording on its way: fed block by block, its windows taken when many of them are encoded together."""

from collections.abc import Callable, Iterator
from pathlib import Path

from edge_agent.agent.hearing.booked import BookedChannel
from edge_agent.capture.ledger import SCORED, LedgerSnapshot, SampleLedger
from edge_agent.capture.reasons import Skipped
from edge_agent.capture.replay import FileSource, StreamSource
from edge_agent.capture.source import Block
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import ChannelStream
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.logmel import LogMelTransform
from edge_agent.signal.settings import SignalSettings

Taken = tuple[Path, int, AnalysedWindow, Unscorable | None]
"""File in which a window begins, index of its channel, the window, and why it is not scored."""

_PATCHES_OF_A_WINDOW = 8
"""Patches of a window of ten seconds."""


class RecordingUnderWay:
    """One recording's channels with their books, between the blocks that come and the windows that are taken.

    Args:
        source: Where the blocks come from.
        path_at: The file that holds a sample.
        settings: The signal contract.
        shape: Window and hop.
        transform: The thread's own, shared by all recordings.

    Attributes:
        rate_hz: The source's rate.
        finished: Whether its end was reached.
    """

    def __init__(
        self,
        source: FileSource | StreamSource,
        path_at: Callable[[int], Path],
        settings: SignalSettings,
        shape: WindowShape,
        transform: LogMelTransform,
    ) -> None:
        self.rate_hz = source.rate_hz
        self.finished = False
        self._path_at = path_at
        self._channels = [
            BookedChannel(settings, shape, source.rate_hz, SampleLedger(source.source_id, index), transform=transform)
            for index in range(source.channels)
        ]

    @property
    def streams(self) -> list[ChannelStream]:
        """What waits for the encoder."""
        return [channel.stream for channel in self._channels]

    @property
    def waiting(self) -> int:
        """Windows that wait, or as many as the patches that wait would fill, whichever is more."""
        windows = patches = 0
        for channel in self._channels:  # asked of every recording that waits, for every block
            windows += len(channel.stream.closed_windows)
            patches += len(channel.stream.pending_patches)
        return max(windows, patches // _PATCHES_OF_A_WINDOW)

    def push(self, block: Block) -> None:
        """Take the next block."""
        for index, channel in enumerate(self._channels):
            channel.push(block.samples[:, index], block.first_sample)

    def finish(self) -> None:
        """The recording has ended: its last windows are whole."""
        self.finished = True
        for channel in self._channels:
            channel.stream.finish()

    def take(self, analyser: Analyser, policy: ScorePolicy) -> list[Taken]:
        """The windows whose patches are all encoded, booked, in order of time."""
        taken = []
        for index, channel in enumerate(self._channels):
            for _, window in analyser.closed((channel.stream,)):
                rejected = policy.reject(window)
                channel.settle(window, SCORED if rejected is None else Skipped(rejected.value))
                taken.append((self._path_at(window.start), index, window, rejected))
        if len(self._channels) > 1:
            taken.sort(key=lambda each: (each[2].stop, each[1]))
        return taken

    def close(self) -> Iterator[LedgerSnapshot]:
        """Book what no window took; the books of each channel."""
        for channel in self._channels:
            yield channel.close(Skipped.TAIL)
