"""Reads one source on a thread of its own, and opens it again after a fault."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import Block, Source, SourceError

_log = logging.getLogger(__name__)

STEADY_S = 60.0
"""A source that lost samples while it ran is degraded until it has lost none for so long."""


class SourceState(StrEnum):
    """States of a source; one that never started is down, not still starting."""

    STARTING = "starting"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A source came into a state; `detail` says why, and the mend where there is one."""

    source_id: str
    state: SourceState
    detail: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before the n-th attempt to open a source again: doubling from `first_s`, at most `most_s`."""

    first_s: float = 0.25
    most_s: float = 2.0

    def delay_s(self, failures: int) -> float:
        """Delay after `failures` failures in a row.

        >>> [Backoff().delay_s(n) for n in (1, 2, 3, 9)]
        [0.25, 0.5, 1.0, 2.0]
        """
        return min(self.most_s, self.first_s * 2.0 ** (min(failures, 32) - 1))


class SourceRunner:
    """Keeps one source running: open, read into the queue, and after a fault open again.

    Samples keep one count through every fault: the time that a live source was away is a gap in it, measured by the
    monotonic clock, so that windows stay where they are.

    Args:
        source_id: Name of the source.
        open_source: Opens it; called again after each fault.
        queue: Where blocks go.
        clock: Monotonic time.
        on_change: Told of each change of state, on the reader's thread.
        live: Whether time goes by while the source is away. A recording waits instead, and its end is its end.
        backoff: Delays between attempts.
    """

    def __init__(
        self,
        source_id: str,
        open_source: Callable[[], Source],
        queue: BlockQueue,
        clock: Clock,
        on_change: Callable[[SourceChange], None],
        *,
        live: bool,
        backoff: Backoff | None = None,
    ) -> None:
        self.source_id = source_id
        self.restarts = 0
        self._open_source = open_source
        self._queue = queue
        self._clock = clock
        self._on_change = on_change
        self._live = live
        self._backoff = backoff or Backoff()
        self._stopping = threading.Event()
        self._source: Source | None = None
        self._state: SourceState | None = None
        self._position = 0
        self._rate_hz = 0
        self._captured_ns = 0
        self._away_reason: Lost | None = None
        self._lossy_until_ns = 0
        self._thread = threading.Thread(target=self._run, name=f"source-{source_id}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the source after what it has captured was handed over; False if its reader did not end in time."""
        self._stopping.set()
        source = self._source
        if source is not None:
            source.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._change(SourceState.STARTING, "opening")
        failures = 0
        while not self._stopping.is_set():
            before, hold_s = self._position, 0.0
            try:
                self._read_once()
                if not self._live or self._stopping.is_set():
                    self._say_ended()
                    self._change(SourceState.DOWN, "ended")
                    return
                detail, reason = "the source ended", Lost.UNPLUGGED
            except SourceError as error:
                detail, reason, hold_s = str(error), error.reason, error.hold_s
            except Exception as error:
                # A defect in one source stops neither the others nor its own next attempt.
                _log.exception("source %s failed", self.source_id)
                detail, reason = f"{type(error).__name__}: {error}; see the log", Lost.GAP
            self._away_reason = self._away_reason or reason
            failures = 1 if self._position > before else failures + 1
            self.restarts += 1
            delay_s = max(hold_s, self._backoff.delay_s(failures))
            self._change(SourceState.DOWN, detail)
            self._stopping.wait(delay_s)
        self._say_ended()

    def _say_ended(self) -> None:
        self._queue.put(Arrival(self.source_id, self._rate_hz, None, self._clock.monotonic_ns()), can_wait=True)

    def _read_once(self) -> None:
        source = self._open_source()
        self._source = source
        self._rate_hz = source.rate_hz
        try:
            base: int | None = None
            for block in source.blocks():
                now_ns = self._clock.monotonic_ns()
                captured_ns = now_ns if block.captured_ns is None else block.captured_ns
                reason = block.gap_reason
                if base is None:
                    base = self._resume_at(source.rate_hz, len(block.samples), captured_ns) - block.first_sample
                    reason = self._away_reason or reason
                    self._away_reason = None
                    self._change(SourceState.UP, f"{source.rate_hz} Hz, {source.channels} channels")
                else:
                    self._watch_losses(base + block.first_sample - self._position, reason, now_ns)
                moved = Block(block.samples, base + block.first_sample, reason, captured_ns)
                self._position = moved.stop_sample
                self._captured_ns = captured_ns
                arrival = Arrival(self.source_id, source.rate_hz, moved, now_ns)
                if not self._queue.put(arrival, can_wait=not self._live):
                    return
        finally:
            source.close()
            self._source = None

    def _resume_at(self, rate_hz: int, block_samples: int, captured_ns: int) -> int:
        """Place of the first sample of a newly opened source in the count that goes through every fault."""
        if self._position == 0 or not self._live:
            return self._position
        away = (captured_ns - self._captured_ns) * rate_hz // NS_PER_S
        return self._position + max(0, away - block_samples)

    def _watch_losses(self, gap: int, reason: Lost, now_ns: int) -> None:
        if gap > 0:
            self._lossy_until_ns = now_ns + round(STEADY_S * NS_PER_S)
            self._change(SourceState.DEGRADED, f"{gap} samples lost: {reason.value}")
        elif self._state is SourceState.DEGRADED and now_ns >= self._lossy_until_ns:
            self._change(SourceState.UP, "no sample lost for a while")

    def _change(self, state: SourceState, detail: str) -> None:
        if state is not self._state:
            self._state = state
            self._on_change(SourceChange(self.source_id, state, detail))
