from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.capture.ledger import SCORED, LedgerError, LedgerSnapshot, Outcome, SampleLedger
from edge_agent.capture.reasons import Lost, Skipped

OUTCOMES: tuple[Outcome, ...] = (SCORED, *Skipped, *Lost)


def assert_sound(reading: LedgerSnapshot) -> None:
    assert reading.balance == 0
    counts = [reading.captured, reading.scored, reading.pending, *reading.skipped.values(), *reading.lost.values()]
    assert min(counts) >= 0
    assert set(reading.skipped) == set(Skipped)
    assert set(reading.lost) == set(Lost)


OPERATION = st.tuples(
    st.sampled_from(["captured", "arrived", "lost", "settle", "window", "pending"]),
    st.integers(-5, 60),
    st.integers(-2, 40),
    st.sampled_from(OUTCOMES),
    st.integers(1, 40),
)


class NaiveBook:
    """The same rules, one list entry per sample: slow and obvious."""

    def __init__(self) -> None:
        self.fate: list[Outcome | None] = []  # None while pending
        self.next_window_first = 0

    def captured(self, first: int, n: int) -> None:
        self.require(n >= 1 and first == len(self.fate))
        self.fate += [None] * n

    def arrived(self, first: int, n: int, reason: Lost) -> None:
        self.require(n >= 1 and first >= len(self.fate))
        self.fate += [reason] * (first - len(self.fate)) + [None] * n

    def lost(self, first: int, n: int, reason: Lost) -> None:
        if first == len(self.fate):
            self.require(n >= 1)
            self.fate += [reason] * n
        else:
            self.settle(first, n, reason)

    def settle(self, first: int, n: int, outcome: Outcome) -> None:
        self.require_inside(first, n)
        self.require(all(self.fate[i] is None for i in range(first, first + n)))
        self.take(first, first + n, outcome)

    def settle_window(self, first: int, n: int, outcome: Outcome, *, next_first: int) -> None:
        self.require_inside(first, n)
        self.require(first >= self.next_window_first)
        self.next_window_first = next_first
        self.take(0, first, Skipped.BETWEEN_WINDOWS)
        self.take(first, first + n if outcome is SCORED else min(first + n, next_first), outcome)

    def settle_pending(self, outcome: Outcome) -> None:
        self.take(0, len(self.fate), outcome)

    def take(self, first: int, stop: int, outcome: Outcome) -> None:
        self.fate[first:stop] = [outcome if old is None else old for old in self.fate[first:stop]]

    def require_inside(self, first: int, n: int) -> None:
        self.require(n >= 1 and 0 <= first <= first + n <= len(self.fate))

    def require(self, allowed: bool) -> None:
        if not allowed:
            raise LedgerError


def book(ledger: SampleLedger | NaiveBook, operation: tuple[str, int, int, Outcome, int]) -> bool:
    """Do one operation; false if it was refused."""
    kind, first, n, outcome, hop = operation
    clock = ledger.clock if isinstance(ledger, SampleLedger) else len(ledger.fate)
    position = clock if hop % 2 else first  # half of the bookings are where they must be
    try:
        if kind == "captured":
            ledger.captured(position, n)
        elif kind == "arrived" and isinstance(outcome, Lost):
            ledger.arrived(first, n, outcome)
        elif kind == "lost" and isinstance(outcome, Lost):
            ledger.lost(position, n, outcome)
        elif kind == "settle" and not isinstance(outcome, Lost):
            ledger.settle(first, n, outcome)
        elif kind == "window":
            ledger.settle_window(first, n, outcome, next_first=first + hop)
        elif kind == "pending" and isinstance(outcome, (Skipped, Lost)):
            ledger.settle_pending(outcome)
    except LedgerError:
        return False
    return True


@given(st.lists(OPERATION, max_size=60))
def test_identity_holds_after_any_operations_and_agrees_with_a_naive_book(
    operations: list[tuple[str, int, int, Outcome, int]],
) -> None:
    ledger, naive = SampleLedger("mic", 0), NaiveBook()
    for operation in operations:
        before = ledger.snapshot()
        accepted = book(ledger, operation)
        assert accepted == book(naive, operation)
        reading = ledger.snapshot()
        assert_sound(reading)
        assert accepted or reading == before, "a refused booking changes nothing"
        assert reading.captured == len(naive.fate)
        assert reading.scored == naive.fate.count(SCORED)
        assert reading.pending == naive.fate.count(None)
        assert all(reading.lost[reason] == naive.fate.count(reason) for reason in Lost)
        assert all(reading.skipped[reason] == naive.fate.count(reason) for reason in Skipped)


def test_settling_twice_is_refused() -> None:
    ledger = SampleLedger("mic", 2)
    ledger.captured(0, 100)
    ledger.settle(0, 60, SCORED)
    with pytest.raises(LedgerError, match=r"mic channel 2.*50 to 70"):
        ledger.settle(50, 20, Skipped.TAIL)


def test_gap_must_be_booked_before_what_follows() -> None:
    ledger = SampleLedger("mic", 0)
    ledger.captured(0, 100)
    with pytest.raises(LedgerError, match="clock stands at 100"):
        ledger.captured(150, 10)
    ledger.lost(100, 50, Lost.UNPLUGGED)
    ledger.captured(150, 10)
    assert ledger.clock == 160


def test_overlapping_windows_with_a_gap() -> None:
    ledger = SampleLedger("mic", 0)
    ledger.captured(0, 100)
    ledger.lost(100, 100, Lost.GAP)
    ledger.captured(200, 200)
    assert ledger.settle_window(0, 200, Skipped.LOW_COVERAGE, next_first=100) == 100
    assert ledger.settle_window(100, 200, SCORED, next_first=200) == 100
    assert ledger.settle_window(200, 200, SCORED, next_first=300) == 100
    reading = ledger.snapshot()
    assert (reading.scored, reading.skipped[Skipped.LOW_COVERAGE], reading.lost[Lost.GAP]) == (200, 100, 100)
    assert reading.pending == 0


def test_a_shed_window_leaves_what_the_next_one_can_still_score() -> None:
    ledger = SampleLedger("mic", 0)
    ledger.captured(0, 300)
    ledger.settle_window(0, 200, Lost.SHED, next_first=100)
    ledger.settle_window(100, 200, SCORED, next_first=200)
    reading = ledger.snapshot()
    assert (reading.lost[Lost.SHED], reading.scored) == (100, 200)


def test_windows_out_of_order_are_refused() -> None:
    ledger = SampleLedger("mic", 0)
    ledger.captured(0, 300)
    ledger.settle_window(100, 100, SCORED, next_first=200)
    with pytest.raises(LedgerError, match="out of order"):
        ledger.settle_window(100, 100, SCORED, next_first=200)


def test_snapshot_cannot_be_changed_and_does_not_change() -> None:
    ledger = SampleLedger("mic", 0)
    before = ledger.snapshot()
    ledger.lost(0, 5, Lost.GAP)
    assert before.captured == 0
    assert before.lost[Lost.GAP] == 0
    with pytest.raises(TypeError):
        before.lost[Lost.GAP] = 7  # type: ignore[index]


def test_every_reading_balances_while_another_thread_books() -> None:
    ledger = SampleLedger("mic", 0)
    enough = threading.Event()

    def run() -> None:
        while not enough.is_set():
            first = ledger.clock
            ledger.captured(first, 90)
            ledger.lost(first + 90, 10, Lost.GAP)
            ledger.settle(first, 90, SCORED)

    thread = threading.Thread(target=run)
    thread.start()
    for _ in range(2000):
        assert_sound(ledger.snapshot())
    enough.set()
    thread.join()
    reading = ledger.snapshot()
    assert (reading.pending, reading.scored) == (0, reading.captured // 10 * 9)
