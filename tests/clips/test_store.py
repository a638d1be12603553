"""The clips on the disk: quota, worth, changes, and what remains after something went wrong."""

import errno
import hashlib
import json
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.clips import files
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.errors import ClipError, Failure
from edge_agent.clips.reasons import Reason, Removed
from edge_agent.clips.row import SIDECAR_ROOM_BYTES
from edge_agent.clips.sidecar import OperatorLabel, Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.clips.value import is_protected, rank
from edge_agent.delivery.fields import rfc3339
from edge_agent.durable import write_whole
from tests.clips.samples import NS_PER_S, START_NS, ids, sidecar

CLIP_BYTES = 10_000
TAKES = CLIP_BYTES + SIDECAR_ROOM_BYTES


def store_of(root: Path, clips: int = 1000, **more: Any) -> ClipStore:  # noqa: ANN401  (passed on)
    return ClipStore(root / "clips", StoreLimits(max_bytes=clips * TAKES, min_free_bytes=0), **more)


def payload(number: int) -> bytes:
    return number.to_bytes(8, "big") * (CLIP_BYTES // 8)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClipStore]:
    store = store_of(tmp_path)
    store.tidy()
    yield store
    store.close()


def on_disk(root: Path) -> set[str]:
    return {path.name for path in root.glob("clips/*/*")}


def test_a_clip_is_a_file_a_sidecar_a_picture_and_a_row(store: ClipStore, tmp_path: Path) -> None:
    made = store.put(sidecar("01HF7YAT000000000000000000", Reason.ALARM), payload(1), b"picture")
    assert made.sha256 == hashlib.sha256(payload(1)).hexdigest()
    assert on_disk(tmp_path) == {f"{made.id}{suffix}" for suffix in (".flac", ".json", ".png")}
    assert store.payload_path(made).read_bytes() == payload(1)
    picture = store.picture_path(made)
    assert picture is not None and picture.read_bytes() == b"picture"
    assert store.find(made.id) == made
    (row,) = store.rows()
    assert (row.id, row.machine, row.reason, row.protected) == (made.id, "fan_1", "alarm", True)
    assert json.loads((tmp_path / f"clips/2023-11-14/{made.id}.json").read_text())["reason"] == "alarm"
    assert list(store.verify()) == []


def test_what_an_operator_and_the_hub_say_is_kept(store: ClipStore) -> None:
    made = store.put(sidecar(next(ids())), payload(1))
    label = OperatorLabel(label="bearing", operator="ann", at=rfc3339(START_NS))
    store.change(made.id, lambda clip: clip.model_copy(update={"label": label, "pinned": True}))
    (row,) = store.rows()
    assert (row.label, row.pinned, row.protected) == ("bearing", True, True)
    assert [row.id for row in store.unsynced(settled_before=rfc3339(START_NS))] == [made.id]
    store.change(made.id, lambda clip: clip.model_copy(update={"synced_at": rfc3339(START_NS)}))
    assert store.unsynced(settled_before=rfc3339(START_NS)) == ()
    assert store.find(made.id).label == label


def test_the_least_worth_goes_first(tmp_path: Path) -> None:
    """Eight clips and room for five: what remains is told by worth alone."""
    store, make = store_of(tmp_path, clips=8), ids()
    day = 86_400 * NS_PER_S
    label = OperatorLabel(label="bearing", operator="ann", at=rfc3339(START_NS))
    clips = {
        "random, old": sidecar(next(make), start_ns=START_NS - day),
        "random": sidecar(next(make)),
        "random, labelled": sidecar(next(make), label=label),
        "novel": sidecar(next(make), Reason.NOVEL),
        "novel, 70 days old": sidecar(next(make), Reason.NOVEL, start_ns=START_NS - 70 * day),
        "alarm, synced": sidecar(next(make), Reason.ALARM, synced_at=rfc3339(START_NS)),
        "alarm, 400 days old": sidecar(next(make), Reason.ALARM, start_ns=START_NS - 400 * day),
        "random, pinned, old": sidecar(next(make), start_ns=START_NS - 400 * day, pinned=True),
    }
    names = {clip.id: name for name, clip in clips.items()}
    for clip in clips.values():
        store.put(clip, payload(1))
    gone = []
    for _ in range(4):
        before = {row.id for row in store.rows()}
        store.put(sidecar(next(make), Reason.ALARM), payload(2))
        gone += [names[clip_id] for clip_id in before - {row.id for row in store.rows()}]
    assert gone == ["novel, 70 days old", "random, old", "random", "novel"]
    assert store.stats().removed == ((Removed.EVICTED.value, 4),)
    store.close()


def test_what_is_worth_less_than_all_there_is_is_not_kept(tmp_path: Path) -> None:
    store, make = store_of(tmp_path, clips=2), ids()
    for _ in range(2):
        store.put(sidecar(next(make), Reason.NOVEL), payload(1))
    with pytest.raises(ClipError, match=r"raise clips\.max_bytes") as refused:
        store.put(sidecar(next(make), Reason.RANDOM), payload(2))
    assert refused.value.failure is None
    assert [row.reason for row in store.rows()] == ["novel", "novel"]
    assert len(on_disk(tmp_path)) == 4
    store.close()


def test_the_file_system_keeps_its_floor(tmp_path: Path) -> None:
    free = [100 * TAKES]
    limits = StoreLimits(max_bytes=1000 * TAKES, min_free_bytes=98 * TAKES)
    store, make = ClipStore(tmp_path / "clips", limits, free_bytes=lambda root: free[0]), ids()
    for _ in range(2):
        store.put(sidecar(next(make)), payload(1))
    free[0] = 98 * TAKES
    store.put(sidecar(next(make), start_ns=START_NS + NS_PER_S), payload(2))
    assert len(store.rows()) == 2
    free[0] = 0
    with pytest.raises(ClipError, match="free the disk"):
        store.put(sidecar(next(make), Reason.ALARM), payload(3))
    store.close()


def test_a_random_clip_takes_the_place_of_the_one_before(store: ClipStore) -> None:
    make = ids()
    slot = {"slot": "19675.2/6", "settles_at": rfc3339(START_NS + NS_PER_S)}
    first, second, third, fourth = (sidecar(next(make), **slot) for _ in range(4))
    store.put(first, payload(1))
    store.put(second, payload(2))
    assert [row.id for row in store.rows()] == [second.id]
    store.change(second.id, lambda clip: clip.model_copy(update={"synced_at": rfc3339(START_NS)}))
    store.put(third, payload(3))
    assert {row.id for row in store.rows()} == {second.id, third.id}, "the hub has it: it is no draft any more"
    store.put(sidecar(next(make), machine="fan_2", **slot), payload(4))
    assert len(store.rows()) == 3
    store.put(fourth, payload(5))
    assert {row.id for row in store.rows(machine="fan_1")} == {second.id, fourth.id}
    assert store.unsynced(settled_before=rfc3339(START_NS)) == (), "its part of the day is not over"
    assert len(store.unsynced(settled_before=rfc3339(START_NS + NS_PER_S))) == 2


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(list(Reason)), st.integers(0, 100)),
        st.tuples(st.sampled_from(["pin", "sync", "delete", "unpin", "restart"]), st.integers(0, 30), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(operations)
def test_the_quota_holds_and_what_is_protected_stays(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, Any, int]]
) -> None:
    root, make = tmp_path_factory.mktemp("store"), ids()
    store = store_of(root, clips=5)
    model: dict[str, Sidecar] = {}
    for what, argument, age_days in script:
        if what == "put":
            clip = sidecar(next(make), argument, start_ns=START_NS - age_days * 86_400 * NS_PER_S)
            protected = {key for key, kept in model.items() if _protected(kept)}
            try:
                model[clip.id] = store.put(clip, payload(len(model)))
            except ClipError:
                forced = clip.reason in (Reason.ALARM, Reason.REQUEST)
                assert len(model) == 5
                assert all(_protected(kept) or (not forced and _rank(kept) >= _rank(clip)) for kept in model.values())
            left = {row.id for row in store.rows()}
            assert protected <= left
            model = {key: kept for key, kept in model.items() if key in left}
        elif what == "restart":
            store.close()
            (root / "clips" / "index.db").unlink()
            store = store_of(root, clips=5)
            store.tidy()
        elif model:
            clip_id = sorted(model)[argument % len(model)]
            if what == "delete":
                store.delete(clip_id)
                del model[clip_id]
            else:
                update = {"pinned": what == "pin"} if what != "sync" else {"synced_at": rfc3339(START_NS)}
                model[clip_id] = store.change(clip_id, lambda clip, new=update: clip.model_copy(update=new))
        assert {row.id: row.pinned for row in store.rows()} == {key: kept.pinned for key, kept in model.items()}
        files_bytes = sum(path.stat().st_size for path in root.glob("clips/*/*"))
        assert files_bytes <= 5 * TAKES
    store.close()


def _protected(clip: Sidecar) -> bool:
    return is_protected(clip.reason, pinned=clip.pinned, synced=clip.synced_at is not None)


def _rank(clip: Sidecar) -> float:
    return rank(clip.reason, start_ns=clip.window_start_ns, labelled=False, synced=clip.synced_at is not None)


# What something that went wrong leaves


def test_a_damaged_index_is_set_aside_and_made_again(tmp_path: Path) -> None:
    store, make = store_of(tmp_path), ids()
    made = [store.put(sidecar(next(make), pinned=n == 1), payload(n)) for n in range(3)]
    store.close()
    (tmp_path / "clips/index.db").write_bytes(b"no index at all" * 1000)
    again = store_of(tmp_path)
    assert {row.id for row in again.rows()} == {clip.id for clip in made}
    assert again.stats().indexes_set_aside == 1
    assert (tmp_path / "clips/index.db.corrupt").exists()
    again.close()


def test_an_index_that_breaks_while_open_is_made_again(tmp_path: Path) -> None:
    store, make = store_of(tmp_path), ids()
    made = [store.put(sidecar(next(make)), payload(n)) for n in range(3)]
    store._index._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store._index._db.execute("DROP TABLE clip")
    assert {row.id for row in store.rows()} == {clip.id for clip in made}
    store.close()


def leftovers(root: Path, clip: Sidecar) -> None:
    day = root / "clips" / files.day_of(clip.id)
    (day / f".{clip.id}.flac.new").write_bytes(b"half")
    (day / "01HF7YAT00AAAAAAAAAAAAAAAA.flac").write_bytes(b"no sidecar")
    (day / "01HF7YAT00AAAAAAAAAAAAAAAA.png").write_bytes(b"no sidecar")
    (day / "notes.txt").write_bytes(b"a person's")


def test_what_a_crash_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    made = store.put(sidecar(next(ids())), payload(1))
    leftovers(tmp_path, made)
    store.close()
    again = store_of(tmp_path)
    again.tidy()
    assert on_disk(tmp_path) == {f"{made.id}.flac", f"{made.id}.json", "notes.txt"}
    assert again.stats().swept == 3
    again.close()


def test_the_index_follows_the_sidecars(tmp_path: Path) -> None:
    store, make = store_of(tmp_path), ids()
    changed, gone, broken, lost = [store.put(sidecar(next(make)), payload(n)) for n in range(4)]
    store.close()
    day = tmp_path / "clips/2023-11-14"
    write_whole(day / f"{changed.id}.json", changed.model_copy(update={"pinned": True}).to_bytes())
    (day / f"{gone.id}.flac").unlink()
    write_whole(day / f"{broken.id}.json", b'{"schema_version": 1, "pinned": "perhaps"}')
    (day / f"{lost.id}.json").unlink()
    again = store_of(tmp_path)
    again.tidy()
    assert [(row.id, row.pinned) for row in again.rows()] == [(changed.id, True)]
    assert on_disk(tmp_path) == {
        f"{changed.id}.flac", f"{changed.id}.json", f"{broken.id}.flac", f"{broken.id}.json",
    }  # fmt: skip
    stats = again.stats()
    assert (stats.unreadable, dict(stats.removed)) == (1, {"damaged": 1})
    with pytest.raises(ClipError, match="restore its sidecar"):
        again.find(broken.id)
    again.close()


def test_another_file_in_its_place_is_found(store: ClipStore) -> None:
    made = store.put(sidecar(next(ids())), payload(1))
    store.payload_path(made).write_bytes(payload(2))
    ((clip_id, flaw),) = store.verify()
    assert clip_id == made.id and "SHA-256" in flaw


@pytest.mark.parametrize("name", ["../../../etc/passwd", "x", "01HF7YAT0000000000000000/0", ""])
def test_no_id_leads_out_of_the_store(store: ClipStore, name: str) -> None:
    for act in (store.find, store.delete):
        with pytest.raises(ClipError, match="is no id of a clip"):
            act(name)


FAULTS = [
    (errno.ENOSPC, Failure.DISK_FULL),
    (errno.EROFS, Failure.READ_ONLY),
    (errno.EIO, Failure.IO_ERROR),
]


STEPS = [
    ("edge_agent.clips.shelf.write_one_of_many", 1),
    ("edge_agent.clips.shelf.sync_directory", 1),
    ("edge_agent.clips.shelf.write_whole", 1),
    ("edge_agent.durable.sync_directory", 1),
    ("edge_agent.clips.files.make_day", 1),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault[1].value))
@pytest.mark.parametrize(("broken", "call"), STEPS)
def test_what_the_disk_refuses_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: tuple[int, Failure], broken: str, call: int
) -> None:
    store = store_of(tmp_path)
    (tmp_path / "clips/2023-11-14").mkdir()
    real: Callable[..., None] = pkgutil.resolve_name(broken)
    calls = iter(range(1, 100))

    def refuse(*words: object) -> object:
        if next(calls) == call:
            raise OSError(fault[0], os.strerror(fault[0]))
        return real(*words)

    with monkeypatch.context() as patch:
        patch.setattr(broken, refuse)
        with pytest.raises(ClipError) as refused:
            store.put(sidecar(next(ids())), payload(1))
    assert refused.value.failure is fault[1]
    assert on_disk(tmp_path) == set()
    assert store.rows() == ()
    assert store.stats().failures == ((fault[1].value, 1),)
    store.put(sidecar(next(ids())), payload(1))
    assert len(store.rows()) == 1
    store.close()
