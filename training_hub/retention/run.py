"""One pass over everything that has a limit."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from training_hub.catalogue.audit import record
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.removal import purge_clips
from training_hub.parts import HubParts
from training_hub.retention.events import remove_events
from training_hub.retention.files import remove_files
from training_hub.retention.rows import delete_new_clips, remove_audit, remove_jobs

_log = logging.getLogger(__name__)

ACTOR = "hub"
BATCH = 500
"""Rows of a transaction: some 10 ms, for which others wait."""
_PAUSE_S = 0.05


def remove_old(
    parts: HubParts,
    now: datetime,
    *,
    stopped: Callable[[], bool] = lambda: False,
    pause: Callable[[float], object] = time.sleep,
    batch: int = BATCH,
) -> dict[str, int]:
    """Remove what is older than the settings say; several hubs may do it at once.

    Args:
        parts: The hub's.
        now: The hub's clock.
        stopped: Asked between batches; what is left then is for the next pass.
        pause: Lets others write between batches, seconds.
        batch: Rows of a transaction.

    Returns:
        How many rows or files went, by kind; those of which none went are left out.

    Raises:
        StorageError: The store refuses to remove what was purged.
        SQLAlchemyError: The database does not answer.
    """
    gone: Counter[str] = Counter()
    try:
        for what, batches in _passes(parts, now, batch):
            for count in batches:
                gone[what] += count
                if count:
                    parts.metrics.removed.labels(what).inc(count)
                if stopped():
                    return dict(+gone)
                pause(_PAUSE_S)
        return dict(+gone)
    finally:
        if +gone:
            with parts.database.transaction() as session:
                record(session, ACTOR, "retention.remove", "hub", dict(+gone))
            _log.info("removed for their age: %s", ", ".join(f"{count} {what}" for what, count in (+gone).items()))


def _passes(parts: HubParts, now: datetime, batch: int) -> Iterator[tuple[str, Iterator[int]]]:
    limits = parts.settings.retention
    deed = Deed(ACTOR, now)

    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    if limits.events_days:
        yield "events", remove_events(parts.database, before=before(limits.events_days), now=now, batch=batch)
    steps: list[tuple[str, int, Callable[[Session, datetime], int]]] = [
        ("jobs", limits.jobs_days, lambda session, at: remove_jobs(session, before=at, most=batch)),
        ("audit", limits.audit_days, lambda session, at: remove_audit(session, before=at, most=batch)),
        ("clips_deleted", limits.new_clips_days,
         lambda session, at: delete_new_clips(session, deed, before=at, most=batch)),
        ("clips_purged", limits.deleted_clips_days,
         lambda session, at: purge_clips(session, parts.objects, deed, deleted_before=at, most=min(batch, 100))),
    ]  # fmt: skip
    for what, days, step in steps:
        if days:
            yield what, _until_none(parts, step, before(days))
    if limits.cache_days:
        yield "files", remove_files(parts.state_dir, parts.database, before=before(limits.cache_days), now=now)


def _until_none(parts: HubParts, step: Callable[[Session, datetime], int], at: datetime) -> Iterator[int]:
    while True:
        with parts.database.transaction() as session:
            count = step(session, at)
        yield count
        if not count:
            return
