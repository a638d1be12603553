"""What only a disk can do: damage, other processes, full file systems, failing writes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Priority
from edge_agent.delivery.outbox import Dropped, OutboxLimits
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples

REPOSITORY = Path(__file__).parents[2]


def all_ids(outbox: SqliteOutbox, priority: Priority = Priority.RESULT) -> list[str]:
    return [row.message.event_id for row in outbox.read(priority, after_seq=0, limit=100_000)]


def fill(outbox: SqliteOutbox, count: int) -> list[str]:
    messages = [samples.result_message() for _ in range(count)]
    for message in messages:
        outbox.put(message)
    return [message.event_id for message in messages]


def test_every_commit_is_durable(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    db = outbox._connection.db  # the pragmas are the promise
    assert db is not None
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outbox.close()


def test_the_disk_is_waited_for_once_for_all_that_is_put_together_and_not_for_what_is_forgotten(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    db = outbox._connection.db
    assert db is not None
    said: list[str] = []
    db.set_trace_callback(lambda statement: said.append(statement.split("(")[0]))
    outbox.put_all([samples.result_message() for _ in range(40)])
    assert [each for each in said if not each.startswith("INSERT")] == ["BEGIN IMMEDIATE", "COMMIT"]
    rows = outbox.read(Priority.RESULT, after_seq=0, limit=10)
    said.clear()
    outbox.delete(row.seq for row in rows)
    assert (said[0], said[-2:]) == ("PRAGMA synchronous=NORMAL", ["COMMIT", "PRAGMA synchronous=FULL"])
    outbox.close()


def test_the_file_keeps_its_cap(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path, OutboxLimits(max_bytes=256 * 1024, reserve_bytes=4096))
    fill(outbox, 400)
    outbox.close()
    assert path.stat().st_size <= 256 * 1024


def test_a_cap_that_is_lowered_holds_from_the_next_start_on(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    alarm = samples.alarm_message()
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        outbox.put(alarm)
        outbox.put_all(results := [samples.result_message() for _ in range(2000)])
    before_bytes = path.stat().st_size
    with contextlib.closing(SqliteOutbox(path, OutboxLimits(max_bytes=256 * 1024))) as outbox:
        assert path.stat().st_size <= 256 * 1024 < before_bytes / 3
        kept = all_ids(outbox)
        assert kept == [message.event_id for message in results[-len(kept) :]] != []
        assert outbox.stats().dropped[Dropped.CAP] == 2000 - len(kept)
        assert outbox.stats().total_rows == len(kept) + 1
        assert all_ids(outbox, Priority.ALARM) == [alarm.event_id]
        fill(outbox, 300)
    assert path.stat().st_size <= 256 * 1024


@pytest.mark.parametrize("damage", ["header", "middle", "truncated", "empty-of-sense", "other-schema"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path)
    fill(outbox, 100)
    outbox.close()
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:16] = b"x" * 16
        case "middle":
            content[4096 : 4096 * 8] = os.urandom(4096 * 7)
        case "truncated":
            del content[len(content) // 2 :]
        case "empty-of-sense":
            content[:] = b"not a database\n" * 100
        case "other-schema":
            content[60:64] = (99).to_bytes(4, "big")
    path.write_bytes(content)
    outbox = SqliteOutbox(path)
    assert outbox.stats().files_set_aside == 1
    assert (tmp_path / "outbox.db.corrupt").read_bytes() == bytes(content)
    assert all_ids(outbox) == []
    written = fill(outbox, 3)
    outbox.close()
    outbox = SqliteOutbox(path)
    assert all_ids(outbox) == written
    assert outbox.stats().files_set_aside == 0
    outbox.close()


def test_damage_found_while_running_costs_what_was_in_the_file_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path)
    fill(outbox, 400)
    assert outbox._connection.db is not None
    outbox._connection.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._connection.db.execute("PRAGMA shrink_memory")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    last_seq = outbox.last_seq
    with_new_file = fill(outbox, 1)
    assert all_ids(outbox) == with_new_file
    assert outbox.last_seq > last_seq
    stats = outbox.stats()
    assert (stats.files_set_aside, stats.dropped[Dropped.CORRUPT], stats.total_rows) == (1, 400, 1)
    outbox.close()


def test_a_second_process_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from edge_agent.delivery.sqlite_outbox import SqliteOutbox;"
        "o = SqliteOutbox(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "outbox.db"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(DeliveryError, match="state directory of its own") as caught:
            SqliteOutbox(path)
        assert caught.value.failure is Failure.IN_USE
        other.kill()
        other.wait()
    SqliteOutbox(path).close()


def test_a_directory_that_is_missing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="nowhere"):
        SqliteOutbox(tmp_path / "nowhere" / "outbox.db")


def test_a_failing_disk_is_a_counted_error_and_heals(tmp_path: Path) -> None:
    """EFBIG from a file size limit is a write error to SQLite, in a child as the limit is the process's."""
    script = """
import resource, sys
from pathlib import Path
from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.outbox import OutboxLimits
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from tests.delivery import samples
outbox = SqliteOutbox(Path(sys.argv[1]), OutboxLimits(reserve_bytes=0))
accepted, failures = [], []
def put():
    message = samples.alarm_message()
    try:
        outbox.put(message)
        accepted.append(message.event_id)
    except DeliveryError as error:
        failures.append(error.failure.value)
for _ in range(20): put()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
for _ in range(5): put()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
for _ in range(20): put()
from edge_agent.delivery.message import Priority
kept = [r.message.event_id for r in outbox.read(Priority.ALARM, after_seq=0, limit=1000)]
assert kept == accepted, (len(kept), len(accepted))
assert len(accepted) == 40, len(accepted)
assert len(failures) == 5 and sum(outbox.stats().errors.values()) == 5, failures
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "outbox.db")], cwd=REPOSITORY, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a full disk needs the right to mount a tmpfs")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_on_a_full_disk_results_make_room_for_alarms(small_disk: Path) -> None:
    outbox = SqliteOutbox(small_disk / "outbox.db", OutboxLimits(reserve_bytes=1024 * 1024))
    fill(outbox, 300)
    hog = os.open(small_disk / "somebody-else", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space"):
        while True:
            os.write(hog, b"x" * 4096)
    os.close(hog)
    alarms = [samples.alarm_message() for _ in range(100)]
    for alarm in alarms:
        outbox.put(alarm)
    newest = fill(outbox, 1500)
    assert all_ids(outbox, Priority.ALARM) == [alarm.event_id for alarm in alarms]
    kept = all_ids(outbox)
    assert kept == newest[-len(kept) :]
    stats = outbox.stats()
    assert stats.dropped[Dropped.DISK_FULL] == 1800 - len(kept) > 0
    outbox.close()
    outbox = SqliteOutbox(small_disk / "outbox.db", OutboxLimits(reserve_bytes=1024 * 1024))
    assert all_ids(outbox) == kept
    assert len(all_ids(outbox, Priority.ALARM)) == 100
    outbox.delete([row.seq for row in outbox.read(Priority.RESULT, after_seq=0, limit=10_000)])
    (small_disk / "somebody-else").unlink()
    outbox.maintain(None)
    assert (small_disk / "outbox.db.reserve").stat().st_size == 1024 * 1024
    outbox.close()


def test_a_disk_that_fills_near_the_cap_takes_alarms_all_the_same(small_disk: Path) -> None:
    """The journal needs the reserve to give results up, whichever of the two limits is met first."""
    limits = OutboxLimits(max_bytes=1024 * 1024, reserve_bytes=512 * 1024)
    with contextlib.closing(SqliteOutbox(small_disk / "outbox.db", limits)) as outbox:
        while not outbox.stats().dropped[Dropped.CAP]:
            fill(outbox, 100)
        assert outbox._connection.db is not None
        outbox._connection.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (small_disk / "somebody-else").write_bytes(b"x" * (_free_bytes(small_disk) // 4096 * 4096))
        assert _free_bytes(small_disk) < 4096
        alarms = [samples.alarm_message() for _ in range(50)]
        for alarm in alarms:
            outbox.put(alarm)
        assert all_ids(outbox, Priority.ALARM) == [alarm.event_id for alarm in alarms]


def _free_bytes(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


@pytest.mark.parametrize("what", ["deleted", "replaced", "all deleted"])
def test_a_file_that_is_taken_away_while_in_use_is_put_back(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state" / "outbox.db"
    path.parent.mkdir()
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        written = fill(outbox, 200)
        match what:
            case "deleted":
                path.unlink()
            case "replaced":
                other = tmp_path / "other.db"
                with contextlib.closing(SqliteOutbox(other)) as restored:
                    fill(restored, 3)
                other.replace(path)
            case "all deleted":
                for part in path.parent.iterdir():
                    part.unlink()
        written += fill(outbox, 1)
        assert all_ids(outbox) == written
        assert outbox.stats().files_set_aside == (what == "replaced")
        written += fill(outbox, 200)
        left = outbox.read(Priority.RESULT, after_seq=0, limit=100)
        outbox.delete([row.seq for row in left])
        written = written[100:]
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        assert all_ids(outbox) == written


def test_a_directory_that_is_taken_away_is_told_of_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "state" / "outbox.db"
    path.parent.mkdir()
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        written = fill(outbox, 20)
        path.parent.rename(tmp_path / "away")
        written += fill(outbox, 5)
        assert all_ids(outbox) == written
        assert outbox.stats().errors[Failure.IO] > 0
        path.parent.mkdir()
        written += fill(outbox, 5)
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        assert all_ids(outbox) == written


def test_a_commit_is_quick(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    durations_s = []
    for _ in range(50):
        message = samples.result_message()
        begin_s = time.perf_counter()
        outbox.put(message)
        durations_s.append(time.perf_counter() - begin_s)
    outbox.close()
    assert sorted(durations_s)[25] < 0.05  # 100 times what is measured: only a blunder fails this


def test_a_row_that_cannot_be_read_is_given_up_and_holds_up_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    messages = [samples.result_message(f"m{index}") for index in range(3)]
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        outbox.put_all(messages)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE outbox SET payload = x'78bb0000' WHERE seq = (SELECT min(seq) FROM outbox)")
        other.commit()
    with contextlib.closing(SqliteOutbox(path)) as outbox:
        rows = outbox.read(messages[0].priority, after_seq=0, limit=10)
        assert [row.message.event_id for row in rows] == [message.event_id for message in messages[1:]]
        assert outbox.stats().dropped[Dropped.CORRUPT] == 1
        assert outbox.stats().total_rows == 2
