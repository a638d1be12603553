"""From arrivals of all sources to heard windows, with the books of every sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_agent.capture.block_queue import Arrival
from edge_agent.capture.clock import Clock, SampleClock
from edge_agent.capture.ledger import SCORED, LedgerSnapshot, Outcome, SampleLedger
from edge_agent.capture.reasons import Skipped
from edge_agent.capture.source import Block
from edge_agent.pipeline.analyse import AnalysedWindow, Analyser, ChannelStream, WindowShape
from edge_agent.pipeline.listener import Heard, Listener, MachineState
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.signal.settings import SignalSettings

_NOT_SCORED = {
    MachineState.INPUT_FAULT: Skipped.INPUT_FAULT,
    MachineState.UNCOMMISSIONED: Skipped.UNCOMMISSIONED,
    MachineState.UNKNOWN: Skipped.UNKNOWN_MACHINE,
}


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """Which channel of a source is heard, and who listens."""

    index: int
    listener: Listener


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """The channels of a source that are heard.

    Attributes:
        channels: The channels.
        stamped_by_arrival: Whether the time of a sample is when it arrives; in a recording, or at another pace than
            real time, it follows from the count alone.
    """

    channels: tuple[ChannelPlan, ...]
    stamped_by_arrival: bool = True


@dataclass(frozen=True, slots=True)
class WindowEvent:
    """One finished window: heard, or rejected with the reason.

    Attributes:
        source_id: Where it came from.
        channel: Index of the channel in the source.
        window: The window.
        heard: What was made of it; None where it was rejected.
        rejected: Why it was not scored.
        start_ns, end_ns: Wall time of its first and after its last sample, by the sample clock.
    """

    source_id: str
    channel: int
    window: AnalysedWindow
    heard: Heard | None
    rejected: Unscorable | None
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Channel:
    plan: ChannelPlan
    stream: ChannelStream
    ledger: SampleLedger


@dataclass(slots=True)
class _Source:
    plan: SourcePlan
    channels: list[_Channel] = field(default_factory=list)
    clock: SampleClock | None = None
    position: int = 0
    ended: bool = False


class Engine:
    """Takes arrivals of every source, books each sample, and yields finished windows. One thread uses it.

    Args:
        analyser: Runs the encoder.
        settings: The signal contract.
        shape: Window and hop.
        policy: Which windows are scored.
        sources: What is heard, by source.
        clock: For the stamps.
    """

    def __init__(
        self,
        analyser: Analyser,
        *,
        settings: SignalSettings,
        shape: WindowShape,
        policy: ScorePolicy,
        sources: Mapping[str, SourcePlan],
        clock: Clock,
    ) -> None:
        self._analyser = analyser
        self._settings = settings
        self._shape = shape
        self._policy = policy
        self._clock = clock
        self._sources = {source_id: _Source(plan) for source_id, plan in sources.items()}
        self._ledgers = {
            (source_id, channel.index): SampleLedger(source_id, channel.index)
            for source_id, plan in sources.items()
            for channel in plan.channels
        }

    def ledgers(self) -> tuple[LedgerSnapshot, ...]:
        """The books of every channel at this moment; may be called from any thread."""
        return tuple(ledger.snapshot() for ledger in self._ledgers.values())

    def accept(self, arrival: Arrival) -> None:
        """Take one block, or the end of a source."""
        source = self._sources[arrival.source_id]
        if arrival.block is None:
            source.ended = True
            for channel in source.channels:
                channel.stream.finish()
            return
        if not source.channels:
            self._open(arrival.source_id, source, arrival.rate_hz)
        self._push(source, arrival.block)

    def drain(self) -> Iterator[WindowEvent]:
        """Encode what is ready, score every closed window and yield it."""
        owners = {
            id(channel.stream): (source_id, source, channel)
            for source_id, source in self._sources.items()
            for channel in source.channels
        }
        for stream, window in self._analyser.drain([channel.stream for _, _, channel in owners.values()]):
            yield self._finish_window(*owners[id(stream)], window)
        for source in self._sources.values():
            if source.ended:
                self._close(source, Skipped.TAIL)

    def stop(self) -> Iterator[WindowEvent]:
        """The agent stops: yield what is still ready, and book the rest as `shutdown`."""
        yield from self.drain()
        for source in self._sources.values():
            self._close(source, Skipped.SHUTDOWN)

    def _open(self, source_id: str, source: _Source, rate_hz: int) -> None:
        source.clock = SampleClock(rate_hz, self._clock)
        source.channels = [
            _Channel(plan, ChannelStream(self._settings, self._shape, rate_hz), self._ledgers[source_id, plan.index])
            for plan in source.plan.channels
        ]

    def _push(self, source: _Source, block: Block) -> None:
        first, count = block.first_sample, len(block.samples)
        gap = first - source.position
        source.position = block.stop_sample
        if source.plan.stamped_by_arrival and source.clock is not None:
            source.clock.observe(block.stop_sample)
        for channel in source.channels:
            samples = np.ascontiguousarray(block.samples[:, channel.plan.index])
            if gap > 0:
                channel.ledger.lost(first - gap, gap, block.gap_reason)
            channel.ledger.captured(first, count)
            if np.isfinite(samples).all():
                channel.stream.push(samples, first)
            else:  # a broken driver; to the windows the block is a gap
                channel.ledger.settle(first, count, Skipped.INVALID_SAMPLE)

    def _finish_window(self, source_id: str, source: _Source, channel: _Channel, window: AnalysedWindow) -> WindowEvent:
        if source.clock is None:
            raise AssertionError("a window of a source that never opened")
        start_ns, end_ns = source.clock.wall_ns(window.start), source.clock.wall_ns(window.stop)
        rejected = self._policy.reject(window)
        heard: Heard | None = None
        outcome: Outcome = SCORED
        if rejected is not None:
            outcome = Skipped(rejected.value)
        else:
            heard = channel.plan.listener.hear(window, start_ns)
            outcome = _NOT_SCORED.get(heard.state, SCORED)
        channel.ledger.settle_window(
            window.start, window.stop - window.start, outcome, next_first=max(window.next_start, window.start + 1)
        )
        return WindowEvent(source_id, channel.plan.index, window, heard, rejected, start_ns, end_ns)

    @staticmethod
    def _close(source: _Source, outcome: Skipped) -> None:
        for channel in source.channels:
            channel.ledger.settle_pending(outcome)
        source.channels = []
