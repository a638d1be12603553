from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.intake import GATHER_S, Intake
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import MemoryOutbox
from tests.delivery import samples


class FailingOutbox(MemoryOutbox):
    """An outbox whose disk can be made to fail."""

    failing = False

    def put(self, message: Message) -> None:
        if self.failing:
            raise DeliveryError(Failure.IO, "the disk fails")
        super().put(message)


def stored(outbox: MemoryOutbox) -> list[str]:
    rows = [row for priority in Priority for row in outbox.read(priority, after_seq=0, limit=1000)]
    return [row.message.event_id for row in sorted(rows, key=lambda row: row.seq)]


def test_what_the_disk_refused_is_stored_in_order_when_it_heals() -> None:
    outbox = FailingOutbox()
    woken: list[None] = []
    intake = Intake(outbox, lambda: woken.append(None))
    first, second, third = (samples.result_message() for _ in range(3))
    assert intake.submit(first)
    assert len(woken) == 1
    outbox.failing = True
    assert not intake.submit(second)
    assert not intake.submit(third)
    assert not intake.retry()
    assert (intake.held, len(woken)) == (2, 1)
    outbox.failing = False
    assert intake.retry()
    assert stored(outbox) == [first.event_id, second.event_id, third.event_id]
    assert (intake.held, intake.given_up, len(woken)) == (0, 0, 2)


def test_beyond_the_memory_the_oldest_results_go_and_alarms_stay() -> None:
    outbox = FailingOutbox()
    outbox.failing = True
    intake = Intake(outbox, lambda: None, max_held=3)
    alarm = samples.alarm_message()
    results = [samples.result_message() for _ in range(5)]
    intake.submit(results[0])
    intake.submit(alarm)
    for result in results[1:]:
        intake.submit(result)
    assert (intake.held, intake.given_up) == (3, 3)
    outbox.failing = False
    intake.retry()
    assert set(stored(outbox)) == {alarm.event_id, results[3].event_id, results[4].event_id}


def test_an_alarm_does_not_wait_behind_a_result_that_finds_no_room() -> None:
    class FullForResults(MemoryOutbox):
        def put(self, message: Message) -> None:
            if message.priority is Priority.RESULT:
                raise DeliveryError(Failure.FULL, "full")
            super().put(message)

    outbox = FullForResults()
    intake = Intake(outbox, lambda: None)
    intake.submit(samples.result_message())
    alarm = samples.alarm_message()
    intake.submit(alarm)
    assert stored(outbox) == [alarm.event_id]
    assert intake.held == 1


class CountingOutbox(FailingOutbox):
    """Remembers how many events each write to the disk held."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def put_all(self, messages: Sequence[Message]) -> None:
        super().put_all(messages)
        self.writes.append(len(messages))


def test_what_is_gathered_is_stored_together_and_nothing_waits_for_long() -> None:
    now_s = 0.0
    outbox = CountingOutbox()
    woken: list[None] = []
    intake = Intake(outbox, lambda: woken.append(None), clock=lambda: now_s)
    with intake.gather():
        assert [intake.submit(samples.result_message()) for _ in range(3)] == [False] * 3
        assert stored(outbox) == []
        now_s = GATHER_S
        assert intake.submit(samples.result_message())
        assert (outbox.writes, len(woken)) == ([4], 1)
        late = [samples.result_message() for _ in range(2)]
        assert not any(intake.submit(message) for message in late)
    assert (outbox.writes, len(woken), intake.held) == ([4, 2], 2, 0)
    assert stored(outbox)[-2:] == [message.event_id for message in late]


def test_an_alarm_waits_for_no_other() -> None:
    outbox = CountingOutbox()
    intake = Intake(outbox, lambda: None, clock=lambda: 0.0)
    with intake.gather():
        intake.submit(samples.result_message())
        assert intake.submit(samples.alarm_message())
        assert len(stored(outbox)) == 2


def test_what_fails_together_is_tried_one_by_one() -> None:
    class FullForResults(CountingOutbox):
        def put(self, message: Message) -> None:
            if message.priority is Priority.RESULT and message.topic.endswith("full/result"):
                raise DeliveryError(Failure.FULL, "full")
            super().put(message)

    outbox = FullForResults()
    intake = Intake(outbox, lambda: None, clock=lambda: 0.0)
    with intake.gather():
        good = samples.result_message("good")
        intake.submit(good)
        intake.submit(samples.result_message("full"))
    assert stored(outbox) == [good.event_id]
    assert intake.held == 1


def test_gathered_events_are_stored_though_the_round_failed() -> None:
    outbox = CountingOutbox()
    intake = Intake(outbox, lambda: None, clock=lambda: 0.0)
    with pytest.raises(RuntimeError), intake.gather():
        intake.submit(samples.result_message())
        raise RuntimeError
    assert len(stored(outbox)) == 1
    assert intake.submit(samples.result_message())
