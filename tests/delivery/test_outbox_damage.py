"""Whatever lies where the outbox should: set aside and counted, or read as far as it is good; nothing is stuck."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.delivery.dispatch import Dispatch
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, OutboxLimits
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples

REPOSITORY = Path(__file__).parents[2]
LIMITS = OutboxLimits(reserve_bytes=4096)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def _filled(path: Path, count: int = 30) -> list[Message]:
    messages = [samples.result_message(f"m{index}") for index in range(count)]
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        outbox.put_all(messages)
    return messages


def _ids(outbox: SqliteOutbox, priority: Priority = Priority.RESULT) -> list[str]:
    return [row.message.event_id for row in outbox.read(priority, after_seq=0, limit=10_000)]


def _by_hand(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def _another_database(path: Path) -> None:
    path.unlink()
    _by_hand(path, "CREATE TABLE clips (id)", "INSERT INTO clips VALUES (1)")


def _a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").touch()


def _a_header(place: int, value: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place] = value
        path.write_bytes(content)

    return spoil


NO_OUTBOX: dict[str, Callable[[Path], None]] = {
    "another database": _another_database,
    "a directory": _a_directory,
    "cut to nothing": lambda path: os.truncate(path, 0),
    "cut to one byte": lambda path: os.truncate(path, 1),
    "cut in its header": lambda path: os.truncate(path, 50),
    "cut within its first page": lambda path: os.truncate(path, 4000),
    "cut within a later page": lambda path: os.truncate(path, 9000),
    "no table": lambda path: _by_hand(path, "DROP TABLE outbox"),
    "a column is missing": lambda path: _by_hand(path, "ALTER TABLE outbox DROP COLUMN retain"),
    "its version says new": lambda path: _by_hand(path, "PRAGMA user_version = 0"),
    "a later version": lambda path: _by_hand(path, "PRAGMA user_version = 2"),
    "a write version that SQLite only reads": _a_header(18, 7),
    "a schema format that SQLite refuses": _a_header(47, 99),
    "a journal that is no file": lambda path: path.with_name("outbox.db-wal").mkdir(),
}


@pytest.mark.parametrize("spoil", NO_OUTBOX.values(), ids=NO_OUTBOX.keys())
def test_what_is_no_outbox_is_set_aside_and_a_new_one_begun(path: Path, spoil: Callable[[Path], None]) -> None:
    _filled(path)
    spoil(path)
    with contextlib.closing(SqliteOutbox(path, LIMITS, patient=True)) as outbox:
        assert outbox.stats().files_set_aside == 1
        alarm = samples.alarm_message()
        outbox.put(alarm)
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 0
        assert _ids(outbox, Priority.ALARM) == [alarm.event_id]
    assert path.with_name("outbox.db.corrupt").exists()


def test_an_empty_file_with_nothing_beside_it_is_a_beginning(path: Path) -> None:
    path.touch()  # as a kill leaves it before the first byte
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 0


def test_what_was_set_aside_before_gives_way_with_its_journal(path: Path) -> None:
    target = path.with_name("outbox.db.corrupt")
    target.mkdir()
    (target / "something").touch()
    path.with_name("outbox.db.corrupt-wal").write_bytes(b"of another file, which it would spoil")
    path.write_bytes(b"x" * 8192)
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 1
    assert target.read_bytes() == b"x" * 8192
    assert not path.with_name("outbox.db.corrupt-wal").exists()


def test_a_damaged_journal_is_set_aside_alone(path: Path) -> None:
    messages = _filled(path)
    path.with_name("outbox.db-wal").write_bytes(random.Random(1).randbytes(20_000))
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 1
        assert _ids(outbox) == [message.event_id for message in messages]
    assert path.with_name("outbox.db.corrupt-wal").stat().st_size == 20_000


def _killed_with_a_journal(path: Path) -> tuple[list[Message], bytes]:
    """Six transactions in the journal of a file that was never closed."""
    running = path.with_name("running.db")
    with contextlib.closing(SqliteOutbox(running, LIMITS)) as outbox:
        messages = [samples.result_message(f"m{index}") for index in range(6)]
        for message in messages:
            outbox.put(message)
        shutil.copy(running, path)
        return messages, running.with_name("running.db-wal").read_bytes()


@pytest.mark.parametrize("part", [0.2, 0.5, 0.7], ids=["early", "in the middle", "late"])
def test_what_is_committed_behind_damage_in_the_journal_is_told_as_lost(path: Path, part: float) -> None:
    messages, journal = _killed_with_a_journal(path)
    place = int(len(journal) * part)
    path.with_name("outbox.db-wal").write_bytes(journal[:place] + b"x" * 64 + journal[place + 64 :])
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 1
        left = _ids(outbox)
        assert left == [message.event_id for message in messages[: len(left)]]
        assert len(left) < len(messages)
    assert path.with_name("outbox.db.corrupt-wal").stat().st_size == len(journal)


@pytest.mark.parametrize("bytes_missing", [0, 1, 4000, 4100, 4120, 9000])
def test_a_journal_that_a_kill_cut_off_is_no_damage(path: Path, bytes_missing: int) -> None:
    messages, journal = _killed_with_a_journal(path)
    path.with_name("outbox.db-wal").write_bytes(journal[: len(journal) - bytes_missing])
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 0
        assert _ids(outbox) == [message.event_id for message in messages[: len(_ids(outbox))]]


def test_a_frame_whose_page_a_kill_left_unwritten_is_no_damage(path: Path) -> None:
    _, journal = _killed_with_a_journal(path)
    path.with_name("outbox.db-wal").write_bytes(journal[:-4096] + bytes(4096))
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 0
        assert len(_ids(outbox)) == 5


@pytest.mark.parametrize("suffix", ["-shm", "-journal"])
def test_rubbish_in_files_that_are_not_used_costs_nothing(path: Path, suffix: str) -> None:
    messages = _filled(path)
    path.with_name(f"outbox.db{suffix}").write_bytes(random.Random(1).randbytes(20_000))
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert outbox.stats().files_set_aside == 0
        assert _ids(outbox) == [message.event_id for message in messages]


def test_the_file_of_a_running_agent_is_left_alone_whatever_it_looks_like(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edge_agent.delivery.sqlite_outbox import SqliteOutbox;"
        "o = SqliteOutbox(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        wal = path.with_name("outbox.db-wal")
        wal.write_bytes(b"x" * 1000)
        with pytest.raises(DeliveryError) as caught:
            SqliteOutbox(path)
        assert caught.value.failure is Failure.IN_USE
        assert wal.read_bytes() == b"x" * 1000
        other.kill()
        other.wait()


SPOILT_ROW = {
    "a topic that is no text": "topic = CAST(x'ff00fe' AS TEXT)",
    "a topic that nothing can be published to": "topic = 'factory/#'",
    "no topic": "topic = ''",
    "an id that is no text": "event_id = CAST(x'ff' AS TEXT)",
    "a payload of another type": "payload = 'text'",
    "a payload that is cut off": "payload = substr(payload, 1, 40)",
    "a time that is none": "occurred_ns = 'noon'",
    "a lane that there is not": "priority = 7",
    "a lane that is a word": "priority = 'x'",
}


@pytest.mark.parametrize("change", SPOILT_ROW.values(), ids=SPOILT_ROW.keys())
def test_a_spoilt_row_is_given_up_alone_and_counted(path: Path, change: str) -> None:
    messages = _filled(path, 5)
    _by_hand(path, f"UPDATE outbox SET {change} WHERE seq = 3")
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        assert _ids(outbox) == [message.event_id for message in (*messages[:2], *messages[3:])]
        stats = outbox.stats()
        assert (stats.total_rows, stats.dropped[Dropped.CORRUPT], stats.files_set_aside) == (4, 1, 0)
        outbox.delete([row.seq for row in outbox.read(Priority.RESULT, after_seq=0, limit=10)])
        assert (outbox.stats().total_rows, outbox.stats().payload_bytes) == (0, 0)


def test_the_backlog_goes_on_behind_a_spoilt_row(path: Path) -> None:
    messages = _filled(path, 30)
    _by_hand(path, "UPDATE outbox SET payload = x'78bb0000' WHERE seq IN (3, 4)")
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:
        dispatch = Dispatch(outbox, window=10, backlog_rate_per_s=1000.0, now_s=0.0)
        sent: list[str] = []
        for second in range(1, 10):
            for outgoing in dispatch.take(float(second)):
                sent.append(outgoing.row.message.event_id)
                dispatch.acknowledged(outgoing.row.seq)
        assert sent == [message.event_id for message in (*messages[:2], *messages[4:])]


def test_a_spoilt_row_holds_up_nothing_though_it_cannot_be_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = _filled(path, 5)
    _by_hand(path, "UPDATE outbox SET payload = x'78bb0000' WHERE seq = 3")
    with contextlib.closing(SqliteOutbox(path, LIMITS)) as outbox:

        def refuse(*_: object) -> None:
            raise DeliveryError(Failure.IO, "the disk fails")

        monkeypatch.setattr(outbox, "_drop", refuse)
        assert _ids(outbox) == [message.event_id for message in (*messages[:2], *messages[3:])]


def test_damage_anywhere_leaves_an_outbox_that_works_and_tells_no_untruth(tmp_path: Path) -> None:
    """Random bytes over random places of the file: what is read afterwards was put, whole, or is not read at all."""
    whole = tmp_path / "whole"
    whole.mkdir()
    known = {message.event_id: message.payload for message in _filled(whole / "outbox.db", 120)}
    content = (whole / "outbox.db").read_bytes()
    choose = random.Random(5)
    outcomes = set()
    for number in range(40):
        place, length = choose.randrange(len(content)), choose.choice([16, 512, 4096, 20_000])
        spoilt = bytearray(content)
        spoilt[place : place + length] = choose.randbytes(min(length, len(content) - place))
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "outbox.db").write_bytes(spoilt)
        with contextlib.closing(SqliteOutbox(directory / "outbox.db", LIMITS, patient=True)) as outbox:
            alarm = samples.alarm_message()
            outbox.put(alarm)
            rows = outbox.read(Priority.RESULT, after_seq=0, limit=1000)
            assert _ids(outbox, Priority.ALARM) == [alarm.event_id]
            assert {row.message.payload for row in rows} <= set(known.values())
            stats = outbox.stats()
            assert len(rows) == len(known) - stats.dropped[Dropped.CORRUPT] or stats.files_set_aside == 1
            outcomes.add("set aside" if stats.files_set_aside else "dropped" if len(rows) < len(known) else "kept")
            outbox.delete([row.seq for row in rows])
            assert outbox.stats().rows[Priority.RESULT] == 0
        shutil.rmtree(directory)
    assert {"set aside", "dropped"} <= outcomes
