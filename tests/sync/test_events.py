"""Events that the broker acknowledged and lost reach the hub; the journal keeps to its bounds and blocks nobody."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.spill_outbox import SpillOutbox
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.sync.journal import FILE_NAME, JournalLimits, SentJournal
from edge_agent.sync.wire import MAX_EVENTS
from tests.delivery.samples import alarm_message, result_message, state_message
from tests.support.contract_hub import Answer, ContractHub
from tests.sync.gateway import Gateway

DAY_NS = 86_400 * 10**9


@pytest.fixture
def hub() -> Iterator[ContractHub]:
    with ContractHub() as hub:
        yield hub


@pytest.fixture
def gateway(tmp_path: Path, hub: ContractHub) -> Gateway:
    return Gateway(tmp_path, hub.url)


def _sent(gateway: Gateway, *messages: Message) -> None:
    """As the publisher tells it."""
    for message in messages:
        gateway.journal.note(message, gateway.clock.now_ns())
    gateway.journal.flush()


def test_the_hub_is_sent_what_it_lacks_and_nothing_else(gateway: Gateway, hub: ContractHub) -> None:
    heard, lost = [result_message() for _ in range(3)], [alarm_message(), result_message()]
    hub.kept.events = {message.event_id: json.loads(message.payload) for message in heard}
    _sent(gateway, *heard, *lost)
    sync = gateway.open()
    gateway.run(sync, until_s=100)
    assert hub.requests["POST /events/missing"] == 0, "the broker is given its time"
    gateway.run(sync, until_s=100)
    assert {m.event_id for m in lost} <= hub.kept.events.keys()
    assert all(hub.kept.events[m.event_id] == json.loads(m.payload) for m in lost)
    assert gateway.line is not None
    books = gateway.line.books
    assert (books.events_there, books.events_sent, books.events_refused) == (3, 2, 0)
    assert (hub.requests["POST /events/missing"], hub.requests["POST /events"]) == (1, 1)
    assert gateway.journal.stats().waiting == 0 and gateway.journal.stats().reconciled == 5


def test_many_events_go_in_bounded_batches(gateway: Gateway, hub: ContractHub) -> None:
    _sent(gateway, *(result_message() for _ in range(MAX_EVENTS + 20)))
    gateway.run(gateway.open(), until_s=200)
    assert len(hub.kept.events) == MAX_EVENTS + 20
    assert hub.requests["POST /events"] == 2


@pytest.mark.parametrize("failing", ["POST /events/missing", "POST /events"])
def test_a_hub_that_fails_between_is_asked_again(gateway: Gateway, hub: ContractHub, failing: str) -> None:
    left = [503, 500]

    def fail(method: str, path: str) -> Answer | None:
        return (left.pop(), {}, b"") if f"{method} {path}" == failing and left else None

    hub.answer_with = fail
    _sent(gateway, *(result_message() for _ in range(5)))
    gateway.run(gateway.open(), until_s=300)
    assert len(hub.kept.events) == 5 and gateway.journal.stats().waiting == 0


def test_an_event_that_the_hub_does_not_want_is_not_sent_for_ever(gateway: Gateway, hub: ContractHub) -> None:
    good, bad = result_message(), result_message()
    object.__setattr__(bad, "payload", json.dumps({"id": bad.event_id}).encode())
    _sent(gateway, good, bad)
    gateway.run(gateway.open(), until_s=400)
    assert gateway.line is not None and gateway.line.books.events_refused == 1
    assert hub.requests["POST /events"] == 1 and hub.kept.events.keys() == {good.event_id}


def test_what_the_outbox_forgets_is_in_the_journal_first(tmp_path: Path) -> None:
    journal = SentJournal(tmp_path, JournalLimits())
    seen: list[int] = []

    def before() -> None:
        journal.flush()
        seen.append(journal.stats().waiting)

    outbox = SpillOutbox(SqliteOutbox(tmp_path / "outbox.db"), before_delete=before)
    messages = [result_message() for _ in range(3)]
    outbox.put_all(messages)
    for row in outbox.read(Priority.RESULT, after_seq=0, limit=10):
        journal.note(row.message, 1)
        outbox.delete([row.seq])
    assert seen == [1, 2, 3]
    assert [e.payload for e in journal.waiting(noted_before_ns=2, limit=9, max_bytes=10**9)] == [
        m.payload for m in messages
    ]


def test_a_repeat_is_one_row(tmp_path: Path) -> None:
    journal, message = SentJournal(tmp_path, JournalLimits()), result_message()
    for _ in range(3):
        journal.note(message, 1)
        journal.flush()
    journal.maintain(None)
    assert journal.stats().waiting == 1


def _kept(journal: SentJournal) -> list[str]:
    return [e.event_id for e in journal.waiting(noted_before_ns=2**62, limit=10**6, max_bytes=10**9)]


def test_results_grow_old_before_alarms(tmp_path: Path) -> None:
    journal = SentJournal(tmp_path, JournalLimits(keep_days=7, keep_alarms_days=90))
    result, state, alarm = result_message(), state_message(), alarm_message()
    for message in (result, state, alarm):
        journal.note(message, 10 * DAY_NS)
    journal.maintain(16 * DAY_NS)
    assert len(_kept(journal)) == 3
    journal.maintain(None)
    assert len(_kept(journal)) == 3, "a clock that is not set makes nothing old"
    journal.note(undated := result_message(), None)
    journal.maintain(18 * DAY_NS)
    assert _kept(journal) == [alarm.event_id, undated.event_id], "nor what was noted while it was not set"
    assert dict(journal.stats().lost)["age"] == 2
    journal.maintain(101 * DAY_NS)
    assert _kept(journal) == [undated.event_id]


def test_at_the_cap_reconciled_results_go_first_and_alarms_last(tmp_path: Path) -> None:
    journal = SentJournal(tmp_path, JournalLimits(max_bytes=1 << 20))
    alarms = [alarm_message() for _ in range(20)]
    results = [result_message() for _ in range(2500)]
    for start in range(0, len(results), 500):
        for message in (*alarms[start // 125 :][:4], *results[start : start + 500]):
            journal.note(message, 1)
        journal.flush()
    done = {m.event_id for m in results[1200:1500]}
    journal.reconciled_ids(done)
    before = set(_kept(journal))
    journal.maintain(2)
    stats = journal.stats()
    assert stats.size_bytes <= 1 << 20
    left = set(_kept(journal))
    assert {m.event_id for m in alarms} <= left, "alarms stay"
    lost = [m.event_id for m in results if m.event_id in before - left]
    waiting = [m.event_id for m in results if m.event_id in before]
    assert lost == waiting[: len(lost)], "the oldest go first"
    assert stats.reconciled == 0 or not lost, "what the hub has goes before what it may not have"
    assert dict(stats.lost)["cap"] == len(lost)


def test_a_disk_that_refuses_blocks_nothing_and_is_caught_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    journal = SentJournal(tmp_path, JournalLimits(), now_s=lambda: now_s[0])
    journal.note(result_message(), 1)
    journal.flush()
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another process writes, for long
    for _ in range(4):
        journal.note(result_message(), 1)
        journal.flush()
    assert journal.stats().held == 4
    other.execute("ROLLBACK")
    other.close()
    journal.note(result_message(), 1)
    journal.flush()
    assert journal.stats().held == 5, "the disk is left alone for some seconds"
    now_s[0] = 6.0
    journal.flush()
    assert (journal.stats().held, len(_kept(journal))) == (0, 6)
    assert len([r for r in caplog.records if "not kept for the hub for now" in r.message]) == 1


def test_a_damaged_file_is_set_aside_and_a_new_one_begins(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 500)
    journal = SentJournal(tmp_path, JournalLimits())
    journal.note(result_message(), 1)
    journal.flush()
    assert len(_kept(journal)) == 1 and journal.stats().files_set_aside == 1
    assert (tmp_path / f"{FILE_NAME}.corrupt").exists()
