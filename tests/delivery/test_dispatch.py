"""Order, window and rate, with time handed in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.delivery.dispatch import Dispatch, Outgoing
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import MemoryOutbox, Row
from tests.delivery import samples


def names(outgoing: list[Outgoing]) -> list[str]:
    return [json.loads(each.payload)["subject"] for each in outgoing]


KINDS: dict[str, Callable[[str], Message]] = {
    "a": samples.alarm_message,
    "s": samples.state_message,
    "r": samples.result_message,
}


def put_all(outbox: MemoryOutbox, *names: str) -> None:
    for name in names:
        outbox.put(KINDS[name[0]](name))


def test_alarms_then_states_then_results_of_now_then_backlog() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, "r-old", "s-old", "a-old")
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000, now_s=0.0)
    put_all(outbox, "r-new", "s-new", "a-new")
    taken = dispatch.take(1.0)
    assert names(taken) == ["a-old", "a-new", "s-old", "s-new", "r-new", "r-old"]
    assert [each.replayed for each in taken] == [True, False, True, False, False, True]
    assert [json.loads(each.payload)["data"]["replayed"] for each in taken] == [each.replayed for each in taken]
    assert dispatch.take(2.0) == []


def test_the_window_bounds_what_is_under_way() -> None:
    outbox = MemoryOutbox()
    dispatch = Dispatch(outbox, window=2, backlog_rate_per_s=1000, now_s=0.0)
    put_all(outbox, "r1", "r2", "r3")
    first = dispatch.take(0.0)
    assert names(first) == ["r1", "r2"]
    assert dispatch.take(0.0) == []
    dispatch.acknowledged(first[1].row.seq)
    assert names(dispatch.take(0.0)) == ["r3"]
    assert dispatch.under_way == 2


def test_backlog_goes_at_its_rate_and_never_before_what_is_new() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, *[f"r-old{i}" for i in range(10)])
    dispatch = Dispatch(outbox, window=100, backlog_rate_per_s=2.0, now_s=0.0)
    assert len(dispatch.take(0.0)) == 1
    assert dispatch.backlog_wait_s(0.0) == pytest.approx(0.5)
    assert dispatch.take(0.4) == []
    put_all(outbox, "r-new")
    assert names(dispatch.take(0.55)) == ["r-new", "r-old1"]
    assert len(dispatch.take(1000.0)) == 2  # a pause saves up one second of rate, no more
    sent = 4
    now_s = 1000.0
    while dispatch.backlog_wait_s(now_s) is not None:
        now_s += 0.5
        sent += len(dispatch.take(now_s))
    assert sent == 10
    assert now_s == pytest.approx(1003.5, abs=0.51)


def test_a_new_connection_begins_at_the_oldest_again() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, "r1", "r2")
    for _ in range(2):
        dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000, now_s=0.0)
        dispatch.take(0.0)
        assert sorted(names(dispatch.take(1.0))) == ["r2"]
        assert dispatch.under_way == 2


def test_live_is_empty_when_only_backlog_waits() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, "r1", "r2", "r3")
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=0.1, now_s=0.0)
    assert dispatch.live_is_empty()
    put_all(outbox, "r4")
    assert not dispatch.live_is_empty()
    taken = dispatch.take(0.0)
    assert not dispatch.live_is_empty()
    for each in taken:
        outbox.delete([each.row.seq])
        dispatch.acknowledged(each.row.seq)
    assert dispatch.live_is_empty()


def test_a_disk_that_fails_between_lanes_costs_nothing() -> None:
    class FailsForStates(MemoryOutbox):
        failing = True

        def read(
            self, priority: Priority, *, after_seq: int, through_seq: int | None = None, limit: int
        ) -> tuple[Row, ...]:
            if self.failing and priority is Priority.STATE:
                raise DeliveryError(Failure.IO, "the disk fails")
            return super().read(priority, after_seq=after_seq, through_seq=through_seq, limit=limit)

    outbox = FailsForStates()
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000, now_s=0.0)
    put_all(outbox, "a1", "s1", "r1")
    assert names(dispatch.take(0.0)) == ["a1"]
    with pytest.raises(DeliveryError):
        dispatch.take(0.0)
    outbox.failing = False
    assert names(dispatch.take(0.0)) == ["s1", "r1"]


def test_an_event_of_another_version_blocks_nothing() -> None:
    outbox = MemoryOutbox()
    outbox.put(replace(samples.result_message(), payload=b'{"subject": "odd"}'))
    put_all(outbox, "r1")
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000, now_s=0.0)
    assert names(dispatch.take(1.0)) == ["odd", "r1"]


def test_what_was_refused_is_offered_again_results_as_backlog_and_what_is_new_stays_new() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, "r-old")
    dispatch = Dispatch(outbox, window=100, backlog_rate_per_s=1000.0, now_s=0.0)
    put_all(outbox, "a1", "r-live")
    for outgoing in dispatch.take(1.0):
        dispatch.refused(outgoing.row.seq)
    assert dispatch.take(2.0) == []
    put_all(outbox, "r-new")
    dispatch.rewind()
    taken = dispatch.take(3.0)
    assert [(name, each.replayed) for name, each in zip(names(taken), taken, strict=True)] == [
        ("a1", False), ("r-new", False), ("r-old", True), ("r-live", True),
    ]  # fmt: skip


def test_a_broker_that_wants_no_results_is_not_sent_the_whole_backlog_each_time() -> None:
    outbox = MemoryOutbox()
    put_all(outbox, *[f"r{index}" for index in range(500)])
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000.0, now_s=0.0)

    def offered(now_s: float, *, refused: bool) -> list[str]:
        found: list[str] = []
        while taken := dispatch.take(now_s):
            found += names(taken)
            for each in taken:
                if refused:
                    dispatch.refused(each.row.seq)
                else:
                    outbox.delete([each.row.seq])
                    dispatch.acknowledged(each.row.seq)
        return found

    first = offered(1.0, refused=True)
    assert first == [f"r{index}" for index in range(40)]
    assert dispatch.backlog_wait_s(1.0) is None
    dispatch.rewind()
    assert offered(2.0, refused=True) == [f"r{index}" for index in range(40, 80)]
    dispatch.rewind()
    assert offered(3.0, refused=False) == [f"r{index}" for index in range(80, 500)]
    dispatch.rewind()
    assert offered(4.0, refused=False) == [f"r{index}" for index in range(80)]
    assert outbox.stats().total_rows == 0
