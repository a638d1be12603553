"""Append-only files: whole lines, bounded, readable after any end."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.alarms.alarm import Change
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.history import HistoryEntry, history
from edge_agent.alarms.journal import Journal
from edge_agent.alarms.states import Event
from tests.alarms.desk import Book


def entry(number: int) -> HistoryEntry:
    (change,) = Book(first_id=number).on(number)
    return HistoryEntry.of(change, number)


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    journal = history(tmp_path)
    for number in range(3):
        journal.append(entry(number))
    assert [each.id for each in journal.read()] == ["id0", "id1", "id2"]
    assert next(journal.read()).event is Event.RAISE


def test_half_a_line_costs_itself_only(tmp_path: Path) -> None:
    journal = history(tmp_path)
    journal.append(entry(0))
    with journal.path.open("ab") as file:
        file.write(b'{"at_ns": 5, "ki')
    journal.append(entry(1))
    with journal.path.open("ab") as file:
        file.write(b"\xff\n\n" + b"x" * 100_000 + b"\n")
    journal.append(entry(2))
    assert [each.id for each in journal.read()] == ["id0", "id1", "id2"]


def test_it_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl", HistoryEntry, max_bytes=2000, keep=2)
    for number in range(100):
        journal.append(entry(number))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3 * 2500
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["log.jsonl", "log.jsonl.1", "log.jsonl.2"],
        ["log.jsonl.1", "log.jsonl.2"],
    )
    numbers = [each.at_ns for each in journal.read()]
    assert numbers == list(range(numbers[0], 100))


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(AlarmError, match=r"alarm_history\.jsonl cannot be written"):
        history(tmp_path / "absent").append(entry(0))


def test_a_change_keeps_who_and_why(tmp_path: Path) -> None:
    desk = Book()
    desk.on(0)
    change: Change = desk.act(Event.ACKNOWLEDGE, 5)
    written = HistoryEntry.of(change, 5)
    assert (written.operator, written.reason, written.state.value) == ("anna", "because", "acknowledged")
