"""Clips are listed, counted, labelled, moved, deleted, restored and purged."""

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.support.hub import Hub
from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.clip_listing import SORTS, count_by, count_clips, list_clips
from training_hub.catalogue.cursor import Cursor
from training_hub.catalogue.database import Database
from training_hub.catalogue.errors import CatalogueError
from training_hub.catalogue.labelling import Deed, label_clips, labels_of, move_clips
from training_hub.catalogue.removal import delete_clips, purge_clips, restore_clips
from training_hub.catalogue.tables import AuditEntry, Clip, Gateway, Machine, StoredObject

_START = datetime(2026, 1, 1, tzinfo=UTC)
_DEED = Deed("user:olga", datetime(2026, 3, 1, tzinfo=UTC), "10.0.0.7")


def _id(number: int) -> str:
    return f"01HF7YAT{number:018d}"


def _fill(session: Session, count: int) -> None:
    """Clips of two machines; every third has no score, every fifth shares its moment with the one before."""
    rng = random.Random(3)
    gateway = Gateway(site="plant_1", name="gw_1")
    pump = Machine(site="plant_1", name="pump_1", type="pump")
    fan = Machine(site="plant_2", name="fan_1", type="fan")
    session.add_all([gateway, pump, fan])
    session.flush()
    for number in range(count):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        session.add(StoredObject(sha256=sha256, size_bytes=10, media_type="audio/flac"))
        session.flush()
        session.add(
            Clip(
                id=_id(number),
                sha256=sha256,
                machine=pump if number % 2 else fan,
                gateway=gateway if number % 2 else None,
                origin="gateway",
                kind="audio",
                recording=f"day {number // 10}",
                duration_s=10.0,
                reason="random",
                heard_at=_START + timedelta(minutes=number - (number % 5 == 0)),
                score=None if number % 3 == 0 else rng.choice([0.5, 1.5, 2.5]),
                verdict=rng.choice(["normal", "suspect"]),
            )
        )


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_every_clip_once_and_in_order(sort: str, database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 57)
        label_clips(session, [_id(n) for n in range(0, 57, 4)], "normal", _DEED)
    seen: list[Clip] = []
    cursor = None
    with database.transaction(writes=False) as session:
        while True:
            page = list_clips(session, ClipFilter(), sort=sort, limit=10, cursor=cursor)
            seen += page.clips
            if page.next is None:
                break
            cursor = page.next
    assert sorted(clip.id for clip in seen) == [_id(n) for n in range(57)]
    name = sort.removeprefix("-")
    values = [clip.machine.name if name == "machine" else getattr(clip, name) for clip in seen]
    present = [value for value in values if value is not None]
    assert present == sorted(present, reverse=sort.startswith("-"))
    assert values == present + [None] * (len(values) - len(present))


def test_a_cursor_holds_while_clips_come_and_go(database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 20)
    with database.transaction() as session:
        first = list_clips(session, ClipFilter(), limit=5)
        delete_clips(session, [first.clips[-1].id, _id(2)], _DEED)
    with database.transaction(writes=False) as session:
        rest = list_clips(session, ClipFilter(), limit=100, cursor=first.next)
    expected = {_id(n) for n in range(20)} - {clip.id for clip in first.clips} - {_id(2)}
    assert {clip.id for clip in rest.clips} == expected


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "W10", "bnVsbA", "A" * 2000, Cursor("-score", 1.0, "a").encode(),
                                    Cursor("-heard_at", "yesterday", "a").encode(),
                                    Cursor("-heard_at", "2026-01-01T00:00:00", "a").encode(),
                                    Cursor("-heard_at", float("inf"), "a").encode(),
                                    Cursor("-heard_at", "a\x00b", "a").encode(),
                                    Cursor("-heard_at", 10**400, "a").encode()])  # fmt: skip
def test_what_is_no_cursor_is_said_to_be_none(cursor: str, database: Database) -> None:
    with database.transaction(writes=False) as session, pytest.raises(CatalogueError, match="cursor"):
        list_clips(session, ClipFilter(), cursor=cursor)


def test_filters_and_counts_agree(database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 30)
        label_clips(session, [_id(1), _id(2)], "normal", _DEED)
        label_clips(session, [_id(3)], "bearing", _DEED)
        delete_clips(session, [_id(4)], _DEED)
    expected = {
        ClipFilter(): 29,
        ClipFilter(deleted=True): 1,
        ClipFilter(deleted=None): 30,
        ClipFilter(machine="pump_1"): 15,
        ClipFilter(type="fan", site="plant_2"): 14,
        ClipFilter(gateway="gw_1"): 15,
        ClipFilter(dataset="training"): 2,
        ClipFilter(dataset="validation", anomalous=True): 1,
        ClipFilter(labelled=True): 3,
        ClipFilter(labelled=False): 26,
        ClipFilter(label="bearing"): 1,
        ClipFilter(recording="day 1"): 10,
        ClipFilter(text="PUMP"): 15,
        ClipFilter(text="%"): 0,
        ClipFilter(since=_START + timedelta(minutes=21)): 9,
        ClipFilter(until=_START + timedelta(minutes=1)): 1,
        ClipFilter(ids=(_id(1), _id(4))): 1,
    }
    with database.transaction(writes=False) as session:
        for wanted, count in expected.items():
            assert count_clips(session, wanted) == count, wanted
            assert len(list_clips(session, wanted, limit=100).clips) == count, wanted
        assert count_by(session, ClipFilter(), "label") == [(None, 26), ("normal", 2), ("bearing", 1)]
        assert count_by(session, ClipFilter(), "anomalous") == [(None, 26), ("false", 2), ("true", 1)]
        with pytest.raises(CatalogueError, match="cannot be counted"):
            count_by(session, ClipFilter(), "sidecar")


def test_a_label_moves_the_clip_and_is_remembered(database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 3)
        move_clips(session, [_id(2)], "external", _DEED)
    with database.transaction() as session:
        label_clips(session, [_id(0), _id(1), _id(1)], " NORMAL ", _DEED)
        label_clips(session, [_id(1), _id(2)], "bearing", Deed("user:paul", _DEED.at + timedelta(hours=1)), note="hm")
    with database.transaction() as session:
        clips = {clip.id: clip for clip in list_clips(session, ClipFilter()).clips}
        assert (clips[_id(0)].label, clips[_id(0)].dataset, clips[_id(0)].anomalous) == ("normal", "training", False)
        assert (clips[_id(1)].label, clips[_id(1)].dataset, clips[_id(1)].anomalous) == ("bearing", "validation", True)
        assert (clips[_id(2)].label, clips[_id(2)].dataset) == ("bearing", "external")
        assert [(one.label, one.by, one.note) for one in labels_of(session, _id(1))] == [
            ("bearing", "user:paul", "hm"), ("normal", "user:olga", None)]  # fmt: skip
        label_clips(session, [_id(1)], None, _DEED)
        assert (clips[_id(1)].label, clips[_id(1)].dataset, clips[_id(1)].labelled_at) == (None, "new", None)
        assert len(labels_of(session, _id(1))) == 2
    with database.transaction(writes=False) as session:
        entries = session.query(AuditEntry).filter(AuditEntry.subject == f"clip:{_id(1)}").order_by(AuditEntry.id).all()
        assert [entry.action for entry in entries] == ["clip.label", "clip.label", "clip.unlabel"]
        assert entries[1].detail == {
            "before": {"label": "normal", "dataset": "training"},
            "after": {"label": "bearing", "dataset": "validation"},
            "note": "hm",
        }
        assert (entries[0].actor, entries[0].address) == ("user:olga", "10.0.0.7")


def test_a_fault_is_never_moved_into_training(database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 2)
        label_clips(session, [_id(0)], "bearing", _DEED)
    with database.transaction() as session:
        with pytest.raises(CatalogueError, match="only normal sound is trained on"):
            move_clips(session, [_id(1), _id(0)], "training", _DEED)
        with pytest.raises(CatalogueError, match="no dataset"):
            move_clips(session, [_id(1)], "trainings", _DEED)
    with database.transaction(writes=False) as session:
        assert count_clips(session, ClipFilter(dataset="training")) == 0


def test_one_missing_clip_leaves_all_as_they_were(database: Database) -> None:
    with database.transaction() as session:
        _fill(session, 2)
        delete_clips(session, [_id(1)], _DEED)
    for ids in ([_id(0), _id(9)], [_id(0), _id(1)]):
        with pytest.raises(CatalogueError, match="nothing was changed"), database.transaction() as session:
            label_clips(session, ids, "normal", _DEED)
    with database.transaction(writes=False) as session:
        assert count_clips(session, ClipFilter(labelled=True)) == 0


def test_deleted_clips_come_back_and_purged_ones_do_not(hub: Hub) -> None:
    database, objects = hub.parts.database, hub.parts.objects
    with database.transaction() as session:
        _fill(session, 4)
        shared = hashlib.sha256(b"0").hexdigest()
        session.query(Clip).filter(Clip.id == _id(1)).update({"sha256": shared})
        for number in range(4):
            objects.put(hashlib.sha256(str(number).encode()).hexdigest(), str(number).encode())
    with database.transaction() as session:
        delete_clips(session, [_id(0), _id(2), _id(3)], _DEED)
        restore_clips(session, [_id(3)], _DEED)
        with pytest.raises(CatalogueError, match="no deleted clip"):
            restore_clips(session, [_id(3)], _DEED)
    with database.transaction() as session:
        assert purge_clips(session, objects, _DEED, deleted_before=_DEED.at) == 0
        assert purge_clips(session, objects, _DEED, deleted_before=_DEED.at + timedelta(seconds=1)) == 2
    with database.transaction(writes=False) as session:
        assert [clip.id for clip in list_clips(session, ClipFilter(deleted=None), sort="heard_at").clips] == [
            _id(1),
            _id(3),
        ]
        assert session.get(StoredObject, hashlib.sha256(b"2").hexdigest()) is None
    assert objects.has(shared), "another clip is of the same content"
    assert not objects.has(hashlib.sha256(b"2").hexdigest())
