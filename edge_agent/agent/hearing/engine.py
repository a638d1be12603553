"""From arrivals of all sources to heard windows, with the books of every sample."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from edge_agent.agent.hearing.booked import BookedChannel
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.capture.block_queue import Arrival
from edge_agent.capture.clock import Clock, SampleClock
from edge_agent.capture.ledger import SCORED, LedgerSnapshot, Outcome, SampleLedger
from edge_agent.capture.reasons import Skipped
from edge_agent.capture.source import Block
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import SampleTap
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from edge_agent.signal.logmel import LogMelTransform
from edge_agent.signal.settings import SignalSettings
from edge_agent.signal.stream import FloatArray

_log = logging.getLogger(__name__)

_NOT_SCORED = {
    MachineState.INPUT_FAULT: Skipped.INPUT_FAULT,
    MachineState.UNCOMMISSIONED: Skipped.UNCOMMISSIONED,
    MachineState.UNKNOWN: Skipped.UNKNOWN_MACHINE,
}


@dataclass(slots=True)
class _Channel:
    plan: ChannelPlan
    booked: BookedChannel
    failing: bool = False


@dataclass(slots=True)
class _Source:
    plan: SourcePlan
    channels: list[_Channel] = field(default_factory=list)
    rate_hz: int = 0
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
        on_stage: Told how many seconds of computing each run of a stage took: `features`, `encode`, `score`.
        tap: Asked for each channel that begins to be heard, by source, index and native rate; shown its
            samples at 16 kHz.
        on_frames: Shown every log-mel frame as it is computed: source, channel, number of the first frame, `[k, 128]`.
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
        on_stage: Callable[[str, float], None] = lambda stage, seconds: None,
        tap: Callable[[str, int, int], SampleTap | None] = lambda source, channel, rate_hz: None,
        on_frames: Callable[[str, int, int, FloatArray], None] | None = None,
    ) -> None:
        self._analyser = analyser
        self._settings = settings
        self._transform = LogMelTransform(settings)
        # a longer gap would leave too little of both windows that it touches
        self._shape = replace(shape, anew_after_s=(1.0 - policy.min_coverage) * policy.window_s)
        self._policy = policy
        self._clock = clock
        self._on_stage = on_stage
        self._tap = tap
        self._on_frames = on_frames
        self._rest = Skipped.TAIL
        self._computing_s = 0.0
        self._sources = {source_id: _Source(plan) for source_id, plan in sources.items()}
        self._ledgers = {
            (source_id, channel.index): SampleLedger(source_id, channel.index)
            for source_id, plan in sources.items()
            for channel in plan.channels
        }

    def ledgers(self) -> tuple[LedgerSnapshot, ...]:
        """The books of every channel at this moment; may be called from any thread."""
        return tuple(ledger.snapshot() for ledger in self._ledgers.values())

    @property
    def computing_s(self) -> float:
        """Processor time that encoding and scoring have taken so far: waiting for a turn is not in it."""
        return self._computing_s

    def add(self, source_id: str, plan: SourcePlan) -> None:
        """Hear one more source, with books of its own from 0."""
        self._sources[source_id] = _Source(plan)
        added = {(source_id, channel.index): SampleLedger(source_id, channel.index) for channel in plan.channels}
        self._ledgers = {**self._ledgers, **added}  # a new one: a scrape may be walking through the old

    def remove(self, source_id: str) -> None:
        """Hear a source no more; what it still had pending is booked as the end of a recording, and its books go."""
        self._close(self._sources.pop(source_id))
        self._ledgers = {key: ledger for key, ledger in self._ledgers.items() if key[0] != source_id}

    def hears(self, source_id: str) -> bool:
        """Whether blocks of this source are taken."""
        return source_id in self._sources

    def ended(self, source_id: str) -> bool:
        """Whether the end of this source was taken."""
        return self._sources[source_id].ended

    def listen(self, source_id: str, plan: SourcePlan) -> None:
        """Let other listeners hear a source from the next window on, and other channels of it from now on.

        Channels that stay lose no sample and hear none twice. The books of those that go, go with them; the books of
        those that come begin here.
        """
        source = self._sources[source_id]
        source.plan = plan
        known = {channel.plan.index: channel for channel in source.channels}
        wanted = {channel.index for channel in plan.channels}
        for index in known.keys() - wanted:
            self._close_books(known[index])
        kept = {key: books for key, books in self._ledgers.items() if key[0] != source_id or key[1] in wanted}
        added = {
            (source_id, index): SampleLedger(source_id, index, begin=source.position)
            for index in sorted(wanted)
            if (source_id, index) not in kept
        }
        self._ledgers = {**kept, **added}
        if source.clock is not None and not source.ended:
            source.channels = [self._heard(source_id, source, each, known.get(each.index)) for each in plan.channels]

    def adopt(self, analyser: Analyser) -> None:
        """Listen with another encoder from now on, of the same signal settings; to be called after `drain`.

        No window is lost: those that are open are encoded anew as a whole.
        """
        self._analyser = analyser
        for source in self._sources.values():
            for channel in source.channels:
                channel.booked.stream.renew()

    def accept(self, arrival: Arrival) -> None:
        """Take one block, or the end of a source."""
        source = self._sources[arrival.source_id]
        if arrival.block is None:
            source.ended = True
            for channel in source.channels:
                channel.booked.stream.finish()
            return
        if not source.channels:
            self._open(arrival.source_id, source, arrival.rate_hz)
        with self._timed("features"):
            self._push(source, arrival.block)

    def drain(self) -> Iterator[WindowEvent]:
        """Encode what is due, score every closed window and yield it."""
        streams = [channel.booked.stream for source in self._sources.values() for channel in source.channels]
        if self._analyser.is_due(streams):
            with self._computing("encode"):
                self._analyser.encode(streams)
        if any(stream.closed_windows for stream in streams):
            owners = {
                id(channel.booked.stream): (source_id, source, channel)
                for source_id, source in self._sources.items()
                for channel in source.channels
            }
            for stream, window in self._analyser.closed(streams):
                with self._computing("score"):
                    event = self._finish_window(*owners[id(stream)], window)
                yield event
        for source in self._sources.values():
            if source.ended:
                self._close(source)

    def stopping(self) -> None:
        """The agent stops: what ends from now on does so because of it, and is booked as `shutdown`."""
        self._rest = Skipped.SHUTDOWN

    def stop(self) -> Iterator[WindowEvent]:
        """Nothing more comes: yield what is still ready, and book the rest as `shutdown`."""
        self.stopping()
        yield from self.drain()
        for source in self._sources.values():
            self._close(source)

    def _open(self, source_id: str, source: _Source, rate_hz: int) -> None:
        source.rate_hz, source.clock = rate_hz, SampleClock(rate_hz, self._clock)
        source.channels = [self._heard(source_id, source, plan) for plan in source.plan.channels]

    def _heard(self, source_id: str, source: _Source, plan: ChannelPlan, former: _Channel | None = None) -> _Channel:
        """A channel under a plan, which goes on where it was heard before."""
        if former is not None:
            former.plan = plan
            return former
        books = self._ledgers[source_id, plan.index]
        tap = self._tap(source_id, plan.index, source.rate_hz)
        booked = BookedChannel(
            self._settings,
            self._shape,
            source.rate_hz,
            books,
            tap,
            on_frames=None if self._on_frames is None else partial(self._on_frames, source_id, plan.index),
            transform=self._transform,
        )
        return _Channel(plan, booked)

    def _push(self, source: _Source, block: Block) -> None:
        if source.plan.stamped_by_arrival and source.clock is not None:
            source.clock.observe(block.stop_sample, block.captured_ns)
        source.position = block.stop_sample
        for channel in source.channels:
            channel.booked.push(block.samples[:, channel.plan.index], block.first_sample, block.gap_reason)

    def _finish_window(self, source_id: str, source: _Source, channel: _Channel, window: AnalysedWindow) -> WindowEvent:
        if source.clock is None:
            raise AssertionError("a window of a source that never opened")
        start_ns, end_ns = source.clock.wall_ns(window.start), source.clock.wall_ns(window.stop)
        rejected, fault = self._policy.reject(window), window.fault
        defect: Exception | None = None
        heard: Heard | None = None
        outcome: Outcome = SCORED
        plan = channel.plan
        if rejected is None:
            try:
                heard = plan.listener.hear(window, start_ns)
                outcome = _NOT_SCORED.get(heard.state, SCORED)
            except Exception as error:
                # a defect that one machine's sound brings out costs that window; the other machines are heard on
                rejected, fault, defect = Unscorable.MODEL_FAULT, f"{type(error).__name__}: {error}", error
        if rejected is not None:
            outcome = self._rest if rejected is Unscorable.TAIL else Skipped(rejected.value)
        self._watch(source_id, channel, rejected, fault, defect)
        channel.booked.settle(window, outcome)
        return WindowEvent(source_id, plan.index, window, heard, rejected, start_ns, end_ns, plan.calibration_db, fault)

    def _watch(
        self, source_id: str, channel: _Channel, rejected: Unscorable | None, fault: str, defect: Exception | None
    ) -> None:
        """One line when a channel's windows begin to fail, and one when they are scored again."""
        if rejected is None and channel.failing:
            channel.failing = False
            _log.info("source %s channel %d: windows are scored again", source_id, channel.plan.index)
        elif rejected is Unscorable.MODEL_FAULT and not channel.failing:
            channel.failing = True
            _log.error(
                "source %s channel %d: a window could not be scored: %s", source_id, channel.plan.index, fault,
                exc_info=defect,
            )  # fmt: skip

    def _close(self, source: _Source) -> None:
        for channel in source.channels:
            self._close_books(channel)
        source.channels = []

    def _close_books(self, channel: _Channel) -> None:
        books = channel.booked.close(self._rest)
        _log.info("books of %s channel %d closed: %s", books.source, books.channel, books)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started_s = time.perf_counter()
        yield
        self._on_stage(stage, time.perf_counter() - started_s)

    @contextmanager
    def _computing(self, stage: str) -> Iterator[None]:
        started_s = time.thread_time()
        with self._timed(stage):
            yield
        self._computing_s += time.thread_time() - started_s
