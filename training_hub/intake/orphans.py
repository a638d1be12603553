"""Files of clips whose record never came, and files that a killed hub stored without a row: removed after a day."""

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from edge_agent.sync.wire import AUDIO_TYPE, LOG_MEL_TYPE
from training_hub.catalogue.tables import Bundle, Clip, Run, StoredObject
from training_hub.intake.insert import insert_new
from training_hub.parts import HubParts
from training_hub.storage.errors import StorageError

_log = logging.getLogger(__name__)

KEPT = timedelta(days=1)
_STRAY = "application/x-stray"
_MARKS = (b"fLaC", b"PK\x03\x04")
_MOST = 1000
_EARLY = datetime(1970, 1, 1, tzinfo=UTC)


def collect_orphans(parts: HubParts, now: datetime) -> int:
    """Remove them; several hubs may do it at once.

    Args:
        parts: The hub's.
        now: The hub's clock.

    Returns:
        How many objects were removed.

    Raises:
        StorageError: The store cannot be listed, or refuses to remove.
    """
    before = now - KEPT
    parts.objects.sweep()
    _adopt_strays(parts, before)
    removed = 0
    with parts.database.transaction(writes=False) as session:
        wanted = select(StoredObject.sha256).where(*_orphaned(before)).limit(_MOST)
        found = list(session.scalars(wanted))
    for sha256 in found:
        # The row is locked until the object is gone: who sends the same file meanwhile waits, and stores it anew.
        with parts.database.transaction() as session:
            row = session.scalar(
                select(StoredObject).where(StoredObject.sha256 == sha256, *_orphaned(before)).with_for_update()
            )
            if row is not None and not _is_named(session, sha256):
                session.delete(row)
                session.flush()
                parts.objects.delete(sha256)
                removed += 1
    if removed:
        parts.metrics.orphans.inc(removed)
        _log.info("%d stored files that no record named for a day are removed", removed)
    return removed


def _orphaned(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        StoredObject.stored_at < before,
        StoredObject.media_type.in_((AUDIO_TYPE, LOG_MEL_TYPE, _STRAY)),
        ~exists().where(Clip.sha256 == StoredObject.sha256),
    )


def _is_named(session: Session, sha256: str) -> bool:
    named = (
        exists().where(Clip.sha256 == sha256),
        exists().where(Bundle.object_sha256 == sha256),
        exists().where(Run.report_sha256 == sha256),
    )
    return any(session.scalar(select(one)) for one in named)


def _adopt_strays(parts: HubParts, before: datetime) -> None:
    """Give a row to clips' files that have none, so that they are removed under its lock as all others."""
    old = [sha256 for sha256, at_s in parts.objects.stored() if at_s < before.timestamp()]
    for first in range(0, len(old), _MOST):
        step = old[first : first + _MOST]
        with parts.database.transaction(writes=False) as session:
            known = set(session.scalars(select(StoredObject.sha256).where(StoredObject.sha256.in_(step))))
        for sha256 in step:
            if sha256 in known:
                continue
            try:
                content = parts.objects.get(sha256)
            except StorageError as error:
                _log.warning("a stored file without a row is left: %s", error)
                continue
            if content.startswith(_MARKS):  # no clip's file: some other part's, and none of ours to remove
                row = {"sha256": sha256, "size_bytes": len(content), "media_type": _STRAY, "stored_at": _EARLY}
                with parts.database.transaction() as session:
                    insert_new(session, StoredObject, [row], "sha256")
