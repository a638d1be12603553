"""What every outbox promises, on the disk and in memory."""

from __future__ import annotations

import base64
import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import MAX_PAYLOAD_BYTES, Message, Priority
from edge_agent.delivery.outbox import Dropped, MemoryOutbox, Outbox, OutboxLimits
from edge_agent.delivery.payload_codec import pack
from edge_agent.delivery.spill_outbox import SpillOutbox
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples

Make = Callable[[OutboxLimits], Outbox]
DAY_NS = 86_400 * 10**9


@pytest.fixture(params=["sqlite", "memory", "spill"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[Outbox] = []

    def build(limits: OutboxLimits) -> Outbox:
        if request.param == "memory":
            made.append(MemoryOutbox(limits))
        else:
            disk = SqliteOutbox(tmp_path / "outbox.db", limits)
            made.append(disk if request.param == "sqlite" else SpillOutbox(disk))
        return made[-1]

    yield build
    for outbox in made:
        outbox.close()


@pytest.fixture
def outbox(make: Make) -> Outbox:
    return make(OutboxLimits())


def kept_bytes(outbox: Outbox, messages: Sequence[Message]) -> int:
    """What payloads take where they are kept: packed on the disk, as they are in memory."""
    packed = not isinstance(outbox, MemoryOutbox)
    return sum(len(pack(message.payload) if packed else message.payload) for message in messages)


def ids(outbox: Outbox, priority: Priority, **limits: int) -> list[str]:
    rows = outbox.read(priority, **{"after_seq": 0, "limit": 10_000, **limits})
    return [row.message.event_id for row in rows]


def test_it_is_an_outbox(outbox: Outbox) -> None:
    assert isinstance(outbox, Outbox)


def test_what_was_put_comes_back_whole_and_in_order(outbox: Outbox) -> None:
    messages = [samples.result_message(f"m{i}") for i in range(5)]
    for message in messages:
        outbox.put(message)
    outbox.put(samples.alarm_message())
    rows = outbox.read(Priority.RESULT, after_seq=0, limit=10)
    assert [row.message for row in rows] == messages
    assert [row.seq for row in rows] == sorted({row.seq for row in rows})
    assert outbox.last_seq > rows[-1].seq


def test_several_are_put_together_and_none_twice(outbox: Outbox) -> None:
    first, *others = [samples.result_message(f"m{i}") for i in range(4)]
    outbox.put(first)
    outbox.put_all([first, *others])
    assert ids(outbox, Priority.RESULT) == [message.event_id for message in (first, *others)]
    later = samples.result_message("later")
    outbox.put(later)
    rows = outbox.read(Priority.RESULT, after_seq=0, limit=10)
    assert [row.seq for row in rows] == sorted({row.seq for row in rows})
    assert rows[-1].message == later and outbox.last_seq == rows[-1].seq
    assert outbox.stats().accepted == 5
    assert outbox.stats().payload_bytes == kept_bytes(outbox, [row.message for row in rows])


def test_a_range_is_read_by_its_limits(outbox: Outbox) -> None:
    for _ in range(6):
        outbox.put(samples.result_message())
    seqs = [row.seq for row in outbox.read(Priority.RESULT, after_seq=0, limit=10)]
    chosen = outbox.read(Priority.RESULT, after_seq=seqs[0], through_seq=seqs[4], limit=3)
    assert [row.seq for row in chosen] == seqs[1:4]
    assert outbox.read(Priority.RESULT, after_seq=seqs[5], limit=3) == ()


def test_the_same_id_again_changes_nothing(outbox: Outbox) -> None:
    message = samples.result_message()
    outbox.put(message)
    before = outbox.stats()
    outbox.put(message)
    assert outbox.stats() == before
    assert before.accepted == 1


def test_what_was_deleted_is_gone_and_again_is_no_error(outbox: Outbox) -> None:
    for _ in range(3):
        outbox.put(samples.result_message())
    seqs = [row.seq for row in outbox.read(Priority.RESULT, after_seq=0, limit=10)]
    outbox.delete(seqs[:2])
    outbox.delete([*seqs[:2], 10**9])
    outbox.delete([])
    assert [row.seq for row in outbox.read(Priority.RESULT, after_seq=0, limit=10)] == seqs[2:]
    assert outbox.stats().total_rows == 1
    outbox.put(samples.result_message())
    assert outbox.last_seq == seqs[2] + 1


def test_the_books_are_right(outbox: Outbox) -> None:
    messages = [
        samples.result_message(occurred_ns=samples.TIME_NS + 5),
        samples.alarm_message(),
        samples.state_message(),
        samples.state_message("mic2"),
    ]
    for message in messages:
        outbox.put(message)
    stats = outbox.stats()
    assert dict(stats.rows) == {Priority.ALARM: 1, Priority.STATE: 2, Priority.RESULT: 1}
    assert stats.payload_bytes == kept_bytes(outbox, messages)
    assert stats.accepted == 4
    assert stats.oldest_occurred_ns == samples.TIME_NS
    assert not any(stats.dropped.values())
    assert set(stats.dropped) == set(Dropped)


def test_an_empty_outbox_has_no_oldest_event(outbox: Outbox) -> None:
    assert outbox.stats().oldest_occurred_ns is None


def padded(message: Message, payload_bytes: int) -> Message:
    tail = b'"replayed":false}}'
    # of letters that no packing makes smaller than three quarters
    filling = base64.b64encode(random.Random(message.event_id).randbytes(payload_bytes))
    return replace(message, payload=b"{" + filling[: payload_bytes - len(tail) - 1] + tail)


def test_at_the_cap_the_oldest_results_go_and_alarms_never(make: Make) -> None:
    outbox = make(OutboxLimits(max_bytes=512 * 1024))
    alarms = [padded(samples.alarm_message(), 3000) for _ in range(20)]
    results = [padded(samples.result_message(), 3000) for _ in range(400)]
    for index, message in enumerate(results):
        outbox.put(message)
        if index % 20 == 0:
            outbox.put(alarms[index // 20])
    kept = ids(outbox, Priority.RESULT)
    assert ids(outbox, Priority.ALARM) == [alarm.event_id for alarm in alarms]
    assert 20 < len(kept) < 200
    assert kept == [message.event_id for message in results[-len(kept) :]]
    stats = outbox.stats()
    assert stats.dropped[Dropped.CAP] == 400 - len(kept)
    assert stats.accepted == 420
    assert stats.total_rows == 20 + len(kept)


def test_a_cap_full_of_alarms_refuses_and_says_the_mend(make: Make) -> None:
    outbox = make(OutboxLimits(max_bytes=256 * 1024))
    accepted = []
    with pytest.raises(DeliveryError, match="max_bytes") as caught:
        for _ in range(500):
            message = padded(samples.alarm_message(), 3000)
            outbox.put(message)
            accepted.append(message.event_id)
    assert caught.value.failure is Failure.FULL
    assert len(accepted) > 20
    assert ids(outbox, Priority.ALARM) == accepted
    assert outbox.stats().errors[Failure.FULL] == 1
    first = outbox.read(Priority.ALARM, after_seq=0, limit=40)
    outbox.delete(row.seq for row in first)
    outbox.put(padded(samples.alarm_message(), 3000))


def test_without_results_states_make_room_for_alarms_and_newer_states_but_not_for_results(make: Make) -> None:
    outbox = make(OutboxLimits(max_bytes=512 * 1024))
    only_word = padded(samples.state_message("mic-0"), 3000)
    outbox.put(only_word)
    states = [padded(samples.state_message("mic-1"), 3000) for _ in range(300)]
    for state in states:
        outbox.put(state)
    kept = ids(outbox, Priority.STATE)
    assert kept == [only_word.event_id, *(state.event_id for state in states[301 - len(kept) :])]
    for _ in range(200):
        with contextlib.suppress(DeliveryError):  # refused, or older results go
            outbox.put(padded(samples.result_message(), 3000))
    assert ids(outbox, Priority.STATE) == kept
    alarms = [padded(samples.alarm_message(), 3000) for _ in range(60)]
    for alarm in alarms:
        outbox.put(alarm)
    assert ids(outbox, Priority.ALARM) == [alarm.event_id for alarm in alarms]
    assert ids(outbox, Priority.RESULT) == []
    assert ids(outbox, Priority.STATE)[0] == only_word.event_id
    stats = outbox.stats()
    assert stats.total_rows == stats.accepted - stats.dropped[Dropped.CAP]


def test_a_cap_that_is_reached_by_several_at_once_is_no_fault_of_the_disk(make: Make) -> None:
    outbox = make(OutboxLimits(max_bytes=256 * 1024))
    results = [padded(samples.result_message(), 3000) for _ in range(300)]
    for first in range(0, 300, 20):
        outbox.put_all(results[first : first + 20])
    kept = ids(outbox, Priority.RESULT)
    assert kept == [message.event_id for message in results[-len(kept) :]]
    stats = outbox.stats()
    assert stats.dropped[Dropped.CAP] == 300 - len(kept) > 0
    assert not any(stats.errors.values())


def test_only_old_results_with_a_trusted_time_are_dropped_for_their_age(make: Make) -> None:
    outbox = make(OutboxLimits(max_age_s=7 * 86_400))
    now_ns = samples.TIME_NS + 8 * DAY_NS
    keep = [
        samples.result_message("young", now_ns - DAY_NS),
        samples.result_message("no-clock", 0, clock_synced=False),
    ]
    for message in [samples.result_message("old"), *keep, samples.alarm_message(), samples.state_message()]:
        outbox.put(message)
    outbox.maintain(None)
    assert outbox.stats().total_rows == 5
    outbox.maintain(now_ns)
    assert ids(outbox, Priority.RESULT) == [message.event_id for message in keep]
    assert outbox.stats().dropped[Dropped.AGE] == 1
    assert outbox.stats().total_rows == 4


def test_a_closed_outbox_says_so(outbox: Outbox) -> None:
    outbox.close()
    outbox.close()
    with pytest.raises(DeliveryError) as caught:
        outbox.put(samples.result_message())
    assert caught.value.failure is Failure.CLOSED


def test_threads_may_put_and_take_at_once(outbox: Outbox) -> None:
    sent: list[str] = []
    taken: list[str] = []

    def produce() -> None:
        for _ in range(100):
            message = samples.result_message()
            outbox.put(message)
            sent.append(message.event_id)

    producers = [threading.Thread(target=produce) for _ in range(3)]
    for producer in producers:
        producer.start()
    while any(producer.is_alive() for producer in producers) or outbox.stats().total_rows:
        rows = outbox.read(Priority.RESULT, after_seq=0, limit=10)
        outbox.delete(row.seq for row in rows)
        taken += [row.message.event_id for row in rows]
    assert sorted(taken) == sorted(sent)
    assert len(set(taken)) == 300


def test_an_event_that_is_too_large_is_refused_at_the_door() -> None:
    with pytest.raises(DeliveryError, match="more than"):
        padded(samples.result_message(), MAX_PAYLOAD_BYTES + 1)
