"""The sample ledger: where every captured sample of one channel went, exact at any moment."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge_agent.capture.reasons import Lost, Skipped


class LedgerError(Exception):
    """Samples were booked twice or out of thin air: a programming error, never bad input."""


class Scored:
    """The outcome "part of a window that got a score"; its only instance is `SCORED`."""

    def __repr__(self) -> str:
        return "SCORED"


SCORED: Final = Scored()

Outcome = Scored | Skipped | Lost
"""What can become of a sample."""


@dataclass(frozen=True)
class LedgerSnapshot:
    """One consistent reading of a ledger, in samples at the native rate.

    `captured == scored + sum(skipped) + sum(lost) + pending` always holds. Every reason is present in
    `skipped` and `lost`, with 0 where nothing happened, so that a metric exists before its first event.
    """

    source: str
    channel: int
    captured: int
    scored: int
    skipped: Mapping[Skipped, int]
    lost: Mapping[Lost, int]
    pending: int

    def __str__(self) -> str:
        """The identity in words, with the reasons that occurred."""
        skipped, lost = _with_reasons(self.skipped), _with_reasons(self.lost)
        return (
            f"{self.captured} samples captured = {self.scored} scored + {skipped} skipped + {lost} lost "
            f"+ {self.pending} pending"
        )

    @property
    def balance(self) -> int:
        """What the identity is off by: 0, or the ledger is broken."""
        return self.captured - self.scored - sum(self.skipped.values()) - sum(self.lost.values()) - self.pending


def _with_reasons(counts: Mapping[Skipped, int] | Mapping[Lost, int]) -> str:
    reasons = ", ".join(f"{reason.value} {count}" for reason, count in counts.items() if count)
    return f"{sum(counts.values())} ({reasons})" if reasons else "0"


class SampleLedger:
    """Books of one channel of one source, kept by intervals of the source's sample clock.

    `captured` counts every position that the sample clock has passed, also those that were lost on the
    way in: a second is a second, whether it was heard or not. A position is *pending* from the moment it
    is captured until it is settled, and it is settled exactly once.

    Overlapping windows (hop below window length) share samples. A sample is *scored* as soon as the first
    window that holds it is scored; it is skipped or shed only when no later window can hold it any more,
    with the reason of the last one that did. `settle_window` does this; gaps inside a window were booked
    as lost before and stay so. All methods may be called from any thread.

    Args:
        source: Name of the source.
        channel: Which of its channels.
        begin: Where on the source's clock the books begin: a channel may be heard from the midst of a run on.

    Example:
        >>> ledger = SampleLedger("mic", 0)
        >>> ledger.captured(0, 300)
        >>> ledger.settle_window(0, 200, Skipped.LOW_COVERAGE, next_first=100)  # 100..200 may still be scored
        100
        >>> ledger.settle_window(100, 200, SCORED, next_first=200)
        200
        >>> ledger.lost(300, 50, Lost.OVERRUN)
        >>> reading = ledger.snapshot()
        >>> reading.captured, reading.scored, reading.skipped[Skipped.LOW_COVERAGE], reading.lost[Lost.OVERRUN]
        (350, 200, 100, 50)
        >>> reading.balance
        0
        >>> str(reading)
        '350 samples captured = 200 scored + 100 (low_coverage 100) skipped + 50 (overrun 50) lost + 0 pending'
    """

    def __init__(self, source: str, channel: int, *, begin: int = 0) -> None:
        self.source = source
        self.channel = channel
        self._lock = threading.Lock()
        self._begin = begin
        self._clock = begin
        self._scored = 0
        self._skipped = dict.fromkeys(Skipped, 0)
        self._lost = dict.fromkeys(Lost, 0)
        # Pending positions as disjoint, sorted, non-touching intervals: starts[i] <= position < stops[i].
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._next_window_first = 0

    def captured(self, first: int, n: int) -> None:
        """Book `n` samples that arrived at `first`, which must be where the clock stands.

        Raises:
            LedgerError: `first` is not the clock; book what is missing with `lost` before.
        """
        with self._lock:
            self._capture(first, n)

    def arrived(self, first: int, n: int, reason: Lost) -> None:
        """Book `n` samples that arrived at `first`, and what is missing between the clock and them as lost.

        Raises:
            LedgerError: `first` lies before the clock, or there is no sample.
        """
        with self._lock:
            missing = first - self._clock
            if missing > 0 and n > 0:
                self._advance(self._clock, missing)
                self._lost[reason] += missing
            self._capture(first, n)

    def lost(self, first: int, n: int, reason: Lost) -> None:
        """Book `n` samples from `first` as lost: never captured (at the clock), or captured and dropped (pending).

        Raises:
            LedgerError: The range is neither wholly pending nor starts at the clock.
        """
        with self._lock:
            if first == self._clock:
                self._advance(first, n)
                self._lost[reason] += n
            else:
                self._settle_all(first, n, reason)

    def settle(self, first: int, n: int, outcome: Scored | Skipped) -> None:
        """Settle `n` pending samples from `first`.

        Raises:
            LedgerError: Part of the range was settled before, was lost, or has not been captured.
        """
        with self._lock:
            self._settle_all(first, n, outcome)

    def settle_window(self, first: int, n: int, outcome: Outcome, *, next_first: int) -> int:
        """Settle what a finished window `[first, first + n)` decides, and return how many samples that was.

        What is still pending before `first` can be in no window any more and is booked as `BETWEEN_WINDOWS`.

        Args:
            first: The window's first sample. Windows come in order.
            n: Its length, lost samples included; it ends at or before the clock.
            outcome: What became of the window.
            next_first: Where the next window starts; samples before it belong to no later window. For the
                last window of a source, its end.

        Raises:
            LedgerError: The window is out of order or ends after the clock.
        """
        with self._lock:
            self._check_range(first, n)
            if first < self._next_window_first or next_first <= first:
                msg = (
                    f"{self._name}: window at {first} with the next at {next_first} is out of order: "
                    f"expected a start at or after {self._next_window_first}"
                )
                raise LedgerError(msg)
            self._next_window_first = next_first
            between = self._take(0, first, Skipped.BETWEEN_WINDOWS)
            stop = first + n
            return between + self._take(first, stop if isinstance(outcome, Scored) else min(stop, next_first), outcome)

    def settle_pending(self, outcome: Skipped | Lost) -> int:
        """Settle everything still pending, as at the end of a recording (`TAIL`) or on `SHUTDOWN`; return how many."""
        with self._lock:
            return self._take(0, self._clock, outcome)

    @property
    def clock(self) -> int:
        """The position after the last sample booked; where the next `captured` or gap must start."""
        with self._lock:
            return self._clock

    def snapshot(self) -> LedgerSnapshot:
        """All counts at one moment."""
        with self._lock:
            return LedgerSnapshot(
                source=self.source,
                channel=self.channel,
                captured=self._clock - self._begin,
                scored=self._scored,
                skipped=MappingProxyType(dict(self._skipped)),
                lost=MappingProxyType(dict(self._lost)),
                pending=sum(self._stops) - sum(self._starts),
            )

    @property
    def _name(self) -> str:
        return f"ledger of {self.source} channel {self.channel}"

    def _advance(self, first: int, n: int) -> None:
        if n < 1 or first != self._clock:
            msg = f"{self._name}: cannot book {n} samples at {first}: the clock stands at {self._clock}"
            raise LedgerError(msg)
        self._clock += n

    def _capture(self, first: int, n: int) -> None:
        self._advance(first, n)
        if self._stops and self._stops[-1] == first:
            self._stops[-1] = first + n
        else:
            self._starts.append(first)
            self._stops.append(first + n)

    def _check_range(self, first: int, n: int) -> None:
        if n < 1 or first < 0 or first + n > self._clock:
            msg = f"{self._name}: cannot settle {n} samples at {first}: captured is 0 to {self._clock}"
            raise LedgerError(msg)

    def _settle_all(self, first: int, n: int, outcome: Outcome) -> None:
        self._check_range(first, n)
        holder = bisect_right(self._starts, first) - 1
        if holder < 0 or self._stops[holder] < first + n:
            msg = f"{self._name}: samples {first} to {first + n} are not all pending: {outcome!r} would book some twice"
            raise LedgerError(msg)
        self._take(first, first + n, outcome)

    def _take(self, first: int, stop: int, outcome: Outcome) -> int:
        """Move what is pending in `[first, stop)` to `outcome`; the only place where intervals shrink."""
        low = bisect_right(self._stops, first)
        high = bisect_left(self._starts, stop)
        if low >= high:
            return 0
        head, tail = self._starts[low], self._stops[high - 1]
        taken = sum(self._stops[low:high]) - sum(self._starts[low:high])
        starts, stops = [], []
        if head < first:
            starts.append(head)
            stops.append(first)
            taken -= first - head
        if tail > stop:
            starts.append(stop)
            stops.append(tail)
            taken -= tail - stop
        self._starts[low:high] = starts
        self._stops[low:high] = stops
        if isinstance(outcome, Scored):
            self._scored += taken
        elif isinstance(outcome, Skipped):
            self._skipped[outcome] += taken
        else:
            self._lost[outcome] += taken
        return taken
