"""What the disk refuses is held in memory, sent from there, and moved to the disk when it takes it."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.delivery.dispatch import Dispatch
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, Outbox, OutboxLimits, PartialReadError, Row
from edge_agent.delivery.spill_outbox import SpillOutbox
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples
from tests.delivery.failing_disk import FailingDisk

_MAKERS: dict[Priority, Callable[[], Message]] = {
    Priority.ALARM: samples.alarm_message,
    Priority.RESULT: samples.result_message,
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FailingDisk]:
    made = FailingDisk(tmp_path / "outbox.db")
    yield made
    made.failing = None
    made.close()


def _read(outbox: Outbox, priority: Priority = Priority.RESULT, after_seq: int = 0) -> list[Row]:
    try:
        return list(outbox.read(priority, after_seq=after_seq, limit=1000))
    except PartialReadError as error:
        return list(error.rows)


def _ids(rows: list[Row]) -> list[str]:
    return [row.message.event_id for row in rows]


def test_an_alarm_goes_out_while_the_disk_fails(disk: FailingDisk) -> None:
    outbox = SpillOutbox(disk)
    outbox.put(samples.alarm_message("before"))
    disk.failing = Failure.IO
    alarm = samples.alarm_message("now")
    outbox.put(alarm)
    assert _ids(_read(outbox, Priority.ALARM)) == [alarm.event_id]
    assert outbox.held == 1


def test_places_go_on_so_that_nothing_is_sent_twice_or_passed_over(disk: FailingDisk) -> None:
    outbox = SpillOutbox(disk)
    messages = [samples.result_message(f"m{index}") for index in range(6)]
    outbox.put_all(messages[:2])
    disk.failing = Failure.DISK_FULL
    outbox.put_all(messages[2:4])
    disk.failing = None
    [*_, last_sent] = _read(SpillOutbox(disk))
    disk.failing = Failure.DISK_FULL
    cursor = _read(outbox)[-1].seq if outbox.held == 4 else last_sent.seq
    disk.failing = None
    assert outbox.retry()
    assert outbox.held == 0
    outbox.put_all(messages[4:])
    assert _ids(_read(outbox)) == [message.event_id for message in messages]
    assert _ids(_read(outbox, after_seq=cursor)) == [message.event_id for message in messages[2:]]
    assert outbox.stats().accepted == 6


def test_what_was_acknowledged_from_memory_never_reaches_the_disk(disk: FailingDisk) -> None:
    outbox = SpillOutbox(disk)
    disk.failing = Failure.IO
    outbox.put(samples.result_message())
    [row] = _read(outbox)
    with pytest.raises(DeliveryError):
        outbox.delete([row.seq])  # the disk cannot; the memory has
    disk.failing = None
    assert outbox.retry()
    assert _read(outbox) == []


@pytest.mark.parametrize("failure", [Failure.CLOSED, Failure.TOO_LARGE, Failure.INVALID])
def test_what_is_no_fault_of_the_disk_is_refused(disk: FailingDisk, failure: Failure) -> None:
    outbox = SpillOutbox(disk)
    disk.failing = failure
    with pytest.raises(DeliveryError) as caught:
        outbox.put(samples.result_message())
    assert caught.value.failure is failure
    assert outbox.held == 0


def test_the_memory_is_bounded_and_alarms_stay(disk: FailingDisk) -> None:
    outbox = SpillOutbox(disk, OutboxLimits(max_bytes=64 * 1024))
    disk.failing = Failure.IO
    alarm = samples.alarm_message()
    outbox.put(alarm)
    for _ in range(100):
        outbox.put(samples.result_message())
    assert _ids(_read(outbox, Priority.ALARM)) == [alarm.event_id]
    assert 0 < outbox.held < 100
    assert sum(outbox.stats().dropped.values()) == 101 - outbox.held


def test_a_disk_that_fails_at_the_start_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "outbox.db"
    outbox = SpillOutbox(SqliteOutbox(path, patient=True))
    first, second = samples.alarm_message(), samples.alarm_message()
    outbox.put(first)
    path.parent.mkdir()
    outbox.put(second)
    assert outbox.held == 0
    assert _ids(_read(outbox, Priority.ALARM)) == [first.event_id, second.event_id]
    outbox.close()
    with contextlib.closing(SqliteOutbox(path)) as again:
        assert _ids(_read(again, Priority.ALARM)) == [first.event_id, second.event_id]


@pytest.mark.parametrize("priority", [Priority.RESULT, Priority.ALARM])
def test_after_a_fault_events_return_to_a_disk_that_is_at_its_cap(tmp_path: Path, priority: Priority) -> None:
    """The oldest results on the disk make room for what was held, as they do for what is new."""
    disk = FailingDisk(tmp_path / "outbox.db", OutboxLimits(max_bytes=128 * 1024))
    with contextlib.closing(SpillOutbox(disk)) as outbox:
        results = [samples.result_message() for _ in range(700)]
        for message in results:
            outbox.put(message)
        assert disk.stats().dropped[Dropped.CAP] > 0
        disk.failing = Failure.IO
        held = [_MAKERS[priority]() for _ in range(100)]
        outbox.put_all(held)
        assert outbox.held == 100
        disk.failing = None
        outbox.put(_MAKERS[priority]())
        assert outbox.held == 0
        kept = _ids(_read(disk, priority))
        assert kept[-101:-1] == [message.event_id for message in held]
        stats = outbox.stats()
        assert stats.accepted == 801
        assert stats.total_rows == 801 - stats.dropped[Dropped.CAP]
        assert not stats.errors.get(Failure.DISK_FULL)


def test_two_starts_without_the_disk_do_not_give_the_same_places(tmp_path: Path) -> None:
    """A row that is sent from memory must not take another one with it that has its place on the disk."""
    path = tmp_path / "absent" / "outbox.db"
    with contextlib.closing(SpillOutbox(SqliteOutbox(path, patient=True))) as first:
        waiting = [samples.alarm_message(f"first-{index}") for index in range(5)]
        first.put_all(waiting)
        path.parent.mkdir()
        assert first.retry()
    path.parent.rename(tmp_path / "away")
    with contextlib.closing(SpillOutbox(SqliteOutbox(path, patient=True))) as second:
        second.put(samples.alarm_message("second"))
        [row] = _read(second, Priority.ALARM)
        (tmp_path / "away").rename(path.parent)
        second.delete([row.seq])
        assert _ids(_read(second, Priority.ALARM)) == [message.event_id for message in waiting]


def test_an_event_whose_place_is_taken_on_the_disk_gets_another(disk: FailingDisk) -> None:
    there, come = samples.alarm_message("there"), samples.alarm_message("come")
    disk.put(there)
    for message in (come, there):
        disk.adopt(Row(1, message))
    assert _ids(_read(disk, Priority.ALARM)) == [there.event_id, come.event_id]
    assert disk.last_seq == 2


def test_alarms_of_which_the_disk_takes_only_some_are_told_once(tmp_path: Path) -> None:
    disk = FailingDisk(tmp_path / "outbox.db", OutboxLimits(max_bytes=128 * 1024, reserve_bytes=4096))
    with contextlib.closing(SpillOutbox(disk)) as outbox:
        disk.failing = Failure.IO
        alarms = [
            replace(samples.alarm_message(f"m{index}"), payload=random.Random(index).randbytes(2500))
            for index in range(100)
        ]
        outbox.put_all(alarms)
        disk.failing = None
        assert not outbox.retry()
        assert 0 < disk.stats().rows[Priority.ALARM] < len(alarms)
        assert _ids(_read(outbox, Priority.ALARM)) == [alarm.event_id for alarm in alarms]
        assert outbox.stats().rows[Priority.ALARM] == len(alarms)
        for row in _read(outbox, Priority.ALARM):
            outbox.delete([row.seq])
        assert outbox.stats().total_rows == 0
        assert outbox.retry()


def test_what_the_disk_cannot_read_for_a_while_is_not_passed_over(disk: FailingDisk) -> None:
    outbox = SpillOutbox(disk)
    on_disk = [samples.alarm_message(f"m{index}") for index in range(3)]
    outbox.put_all(on_disk)
    outbox.put_all(results := [samples.result_message(f"m{index}") for index in range(3)])
    dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000.0, now_s=0.0)
    disk.failing = Failure.IO
    held = [samples.alarm_message("held"), samples.result_message("held")]
    outbox.put_all(held)
    sent = _send(outbox, dispatch, 1.0)
    assert sent == [held[0].event_id]
    disk.failing = None
    assert sorted(_send(outbox, dispatch, 2.0)) == sorted(m.event_id for m in (*on_disk, *results, held[1]))
    assert outbox.stats().total_rows == 0


def _send(outbox: SpillOutbox, dispatch: Dispatch, now_s: float) -> list[str]:
    """What goes over the connection until there is no more, acknowledged at once."""
    sent: list[str] = []
    with contextlib.suppress(DeliveryError):
        while taken := dispatch.take(now_s):
            for outgoing in taken:
                sent.append(outgoing.row.message.event_id)
                dispatch.acknowledged(outgoing.row.seq)
                with contextlib.suppress(DeliveryError):
                    outbox.delete([outgoing.row.seq])
    return sent


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["put", "fail", "heal", "send"]), max_size=40))
def test_in_any_order_each_event_is_sent_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    """A sender that follows with a cursor, as the publisher does for what is new."""
    disk = FailingDisk(tmp_path_factory.mktemp("spill") / "outbox.db")
    outbox = SpillOutbox(disk)
    made: list[Message] = []
    sent: list[str] = []
    cursor = 0

    def send() -> None:
        nonlocal cursor
        rows = _read(outbox, after_seq=cursor)
        sent.extend(_ids(rows))
        cursor = max([cursor, *(row.seq for row in rows)])

    for act in acts:
        if act == "put":
            made.append(samples.result_message())
            outbox.put(made[-1])
        elif act == "send" and disk.failing is None:
            send()
        else:
            disk.failing = Failure.IO if act == "fail" else None
    disk.failing = None
    outbox.retry()
    send()
    assert sent == [message.event_id for message in made]
    outbox.close()
