"""What nobody names is removed after a day, and nothing else."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import select, update

from tests.support.clips import make_clip
from tests.support.hub import Hub
from training_hub.catalogue.tables import StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.intake.orphans import collect_orphans


def _stored(hub: Hub) -> set[str]:
    return {sha256 for sha256, _ in hub.parts.objects.stored()}


def _age(hub: Hub, sha256: str) -> None:
    with hub.parts.database.transaction() as session:
        old = utc_now() - timedelta(days=2)
        session.execute(update(StoredObject).where(StoredObject.sha256 == sha256).values(stored_at=old))


def test_a_file_whose_record_never_came_goes_after_a_day(hub: Hub) -> None:
    gateway = hub.gateway()
    kept, young, orphan, again = (make_clip(number) for number in range(1, 5))
    kept.put(gateway)
    for clip in (young, orphan, again):
        clip.put_file(gateway)
    for clip in (kept, orphan, again):
        _age(hub, clip.sha256)
    assert again.put_file(gateway).status_code == 200, "sent again: its record is on the way"
    assert collect_orphans(hub.parts, utc_now()) == 1
    assert _stored(hub) == {kept.sha256, young.sha256, again.sha256}
    with hub.parts.database.transaction(writes=False) as session:
        assert set(session.scalars(select(StoredObject.sha256))) == _stored(hub)
    assert orphan.put(gateway).status_code == 201, "it may come again"
    assert hub.parts.objects.get(orphan.sha256) == orphan.content


def test_what_a_killed_hub_stored_without_a_row_goes_too(hub: Hub) -> None:
    stray = make_clip(1)
    hub.parts.objects.put(stray.sha256, stray.content)
    assert collect_orphans(hub.parts, utc_now()) == 0, "it may be on its way"
    assert collect_orphans(hub.parts, utc_now() + timedelta(days=2)) == 1
    assert _stored(hub) == set()


def test_other_parts_files_are_left_alone(hub: Hub) -> None:
    report = b"<!doctype html>"
    sha256 = hashlib.sha256(report).hexdigest()
    hub.parts.objects.put(sha256, report)
    with hub.parts.database.transaction() as session:
        row = {"size_bytes": 3, "media_type": "application/x-tar", "stored_at": utc_now() - timedelta(days=9)}
        session.add(StoredObject(sha256="a" * 64, **row))
    assert collect_orphans(hub.parts, utc_now() + timedelta(days=2)) == 0
    assert _stored(hub) == {sha256}
