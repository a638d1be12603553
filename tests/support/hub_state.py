"""What a hub of `tests.support.hub_process` has on its disk, read beside it or after its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from tests.support.hub_process import HubProcess
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Clip, Event, StoredObject
from training_hub.storage.objects import ObjectStore


@dataclass(frozen=True)
class HubState:
    """The hub's rows and files.

    Attributes:
        clips: SHA-256 of each listed clip's file, by the clip's id.
        objects: SHA-256 of the files that it says it has.
        files: Contents that lie in its store, by their name; each is checked against it as it is read.
        events: Ids.
    """

    clips: dict[str, str]
    objects: frozenset[str]
    files: dict[str, bytes]
    events: frozenset[str]


def state_of(hub: HubProcess) -> HubState:
    """Now; rows first, for a file is there before its row."""
    with _database(hub.state_dir) as database, database.transaction(writes=False) as session:
        clips = {clip_id: sha256 for clip_id, sha256 in session.execute(select(Clip.id, Clip.sha256))}
        objects = frozenset(session.scalars(select(StoredObject.sha256)))
        events = frozenset(session.scalars(select(Event.id)))
    store = ObjectStore((hub.state_dir / "objects").as_uri())
    return HubState(clips, objects, {sha256: store.get(sha256) for sha256, _ in store.stored()}, events)


def unfinished(hub: HubProcess) -> int:
    """Files that are not whole yet, or were left so."""
    return len(list((hub.state_dir / "objects" / "incoming").iterdir()))


@contextmanager
def _database(state_dir: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{state_dir / 'hub.db'}")
    try:
        yield database
    finally:
        database.close()
