"""The index may be lost, foreign, behind or held by somebody: the sidecars are the truth, and no clip is lost by it."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError
from edge_agent.clips.index import ClipIndex
from edge_agent.clips.reasons import Reason
from edge_agent.clips.store import ClipStore
from edge_agent.durable import write_whole
from tests.clips.samples import ids, sidecar

ROOM = 10_000 + 4096


def store_of(root: Path, clips: int = 100) -> ClipStore:
    return ClipStore(root / "clips", StoreLimits(max_bytes=clips * ROOM, min_free_bytes=0))


def payload(number: int = 0) -> bytes:
    return bytes([number]) * 10_000


def _remove(index: Path) -> None:
    for path in index.parent.glob("index.db*"):
        path.unlink()


def _of_another_program(index: Path) -> None:
    _remove(index)
    with sqlite3.connect(index) as db:
        db.execute("CREATE TABLE clip (name TEXT)")
    db.close()


def _of_another_schema(index: Path) -> None:
    _of_another_program(index)
    with sqlite3.connect(index) as db:
        db.execute("PRAGMA user_version=1")
    db.close()


def _torn(index: Path) -> None:
    """Pages in the middle are gone, as after a crash of a disk; the header is sound."""
    with sqlite3.connect(index) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    size = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


LOST: dict[str, Callable[[Path], None]] = {
    "removed": _remove,
    "of another program": _of_another_program,
    "of another schema": _of_another_schema,
    "torn": _torn,
}


@pytest.mark.parametrize("name", list(LOST))
def test_a_lost_index_costs_no_clip_while_the_store_is_open(tmp_path: Path, name: str) -> None:
    store, make = store_of(tmp_path), ids()
    made = [store.put(sidecar(next(make)), payload(n)).id for n in range(20)]
    LOST[name](tmp_path / "clips/index.db")
    alarm = store.put(sidecar(next(make), Reason.ALARM), payload(9))  # the one clip that must not be lost to it
    assert {row.id for row in store.rows()} == {*made, alarm.id}
    assert {row.id for row in store_of(tmp_path).rows()} == {*made, alarm.id}, "others read the same one"
    store.close()


@pytest.mark.parametrize("name", list(LOST))
def test_a_lost_index_is_made_again_at_the_next_start(tmp_path: Path, name: str) -> None:
    store, make = store_of(tmp_path), ids()
    made = [store.put(sidecar(next(make)), payload(n)).id for n in range(20)]
    store.close()
    LOST[name](tmp_path / "clips/index.db")
    again = store_of(tmp_path)
    again.tidy()
    assert sorted(row.id for row in again.rows()) == made
    assert again.stats().indexes_set_aside == (name != "removed")
    again.close()


def test_a_store_that_reads_follows_an_index_that_was_replaced(tmp_path: Path) -> None:
    reader, writer, make = store_of(tmp_path), store_of(tmp_path), ids()
    assert reader.rows() == ()
    _remove(tmp_path / "clips/index.db")
    made = writer.put(sidecar(next(make)), payload())
    assert [row.id for row in reader.rows()] == [made.id]
    reader.close()
    writer.close()


def test_a_quota_that_was_lowered_is_kept_from_the_next_start_on(tmp_path: Path) -> None:
    store, make = store_of(tmp_path), ids()
    pinned = store.put(sidecar(next(make), pinned=True), payload())
    alarm = store.put(sidecar(next(make), Reason.ALARM), payload())
    for _ in range(10):
        store.put(sidecar(next(make), Reason.NOVEL), payload())
    store.close()
    lowered = store_of(tmp_path, clips=4)
    lowered.tidy()
    left = {row.id for row in lowered.rows()}
    assert len(left) == 4 and {pinned.id, alarm.id} <= left
    assert sum(path.stat().st_size for path in tmp_path.glob("clips/*/*")) <= 4 * ROOM
    lowered.close()


def test_a_pin_that_missed_the_index_still_holds(tmp_path: Path) -> None:
    """`edge-agent clips pin`, killed after it wrote the sidecar; the agent runs on and needs the room."""
    store, make = store_of(tmp_path, clips=2), ids()
    first, _ = (store.put(sidecar(next(make)), payload(n)) for n in range(2))
    path = store.payload_path(first).with_suffix(".json")
    write_whole(path, first.model_copy(update={"pinned": True}).to_bytes())
    alarm = store.put(sidecar(next(make), Reason.ALARM), payload(3))
    assert {row.id for row in store.rows()} == {first.id, alarm.id}
    with pytest.raises(ClipError, match="no room"):
        store.put(sidecar(next(make), Reason.ALARM), payload(4))
    assert {row.id for row in store.rows()} == {first.id, alarm.id}
    store.close()


def test_a_lock_that_is_never_given_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.clips.store._LOCK_S", 0.1)
    store = store_of(tmp_path)
    store.put(sidecar(next(ids())), payload())
    with open(tmp_path / "clips/lock", "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ClipError, match="another process has held"):
            store.delete(next(ids()))
        assert len(store.rows()) == 1, "reading waits for nobody"
    store.delete(next(ids()))
    store.close()


@pytest.mark.parametrize("attempt", range(5))
def test_several_who_find_the_index_missing_make_one(tmp_path: Path, attempt: int) -> None:
    start, failures, new = threading.Barrier(4), list[Exception](), list[bool]()

    def opens() -> None:
        start.wait(30)
        try:
            index = ClipIndex(tmp_path / f"{attempt}.db")
        except Exception as error:  # of a thread: told below
            failures.append(error)
        else:
            new.append(index.is_new)
            index.close()

    threads = [threading.Thread(target=opens) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(new) == [False, False, False, True]
