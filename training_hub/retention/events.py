"""Old events: results, health and states. Days of machines, counted as the events came, stay as they are."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from edge_agent.delivery.events import EventKind
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Alarm, Clip, Event, MachineDay

AROUND_ALARM = timedelta(hours=1)
"""Results this long before and after an alarm was raised are kept with it."""
AROUND_CLIP = timedelta(minutes=1)
"""And this long before and after the window that a labelled clip shows."""
_CLOCK_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    kind: str
    machine_id: int | None
    occurred_at: datetime
    received_at: datetime


def remove_events(database: Database, *, before: datetime, now: datetime, batch: int) -> Iterator[int]:
    """Remove events that came, and happened, before a moment; how many, after each batch.

    Alarms' events stay, and results around alarms and labelled clips. An event that a gateway's clock put into the
    future counts by when it came.

    Args:
        database: The catalogue; each batch is a transaction.
        before: Younger ones stay.
        now: The hub's clock.
        batch: How many are looked at in a transaction.
    """
    for among in (Event.occurred_at < before, Event.occurred_at > now + _CLOCK_AHEAD):
        last: _Row | None = None
        while True:
            with database.transaction() as session:
                rows = _page(session, among, last, batch)
                removed = _remove(session, [row for row in rows if row.received_at < before])
            yield removed
            if len(rows) < batch:
                break
            last = rows[-1]


def _page(session: Session, among: ColumnElement[bool], last: _Row | None, most: int) -> list[_Row]:
    wanted = select(Event.id, Event.kind, Event.machine_id, Event.occurred_at, Event.received_at).where(among)
    if last is not None:
        later = and_(Event.occurred_at == last.occurred_at, Event.id > last.id)
        # the first condition says nothing new: it tells the database where in the index to begin
        wanted = wanted.where(Event.occurred_at >= last.occurred_at, or_(Event.occurred_at > last.occurred_at, later))
    rows = session.execute(wanted.order_by(Event.occurred_at, Event.id).limit(most))
    return [_Row(*row) for row in rows]


def _remove(session: Session, old: Sequence[_Row]) -> int:
    removable = [row for row in old if row.kind != EventKind.ALARM]
    if not removable:
        return 0
    kept = _referred_to(session, [row for row in removable if row.kind == EventKind.RESULT])
    removable = [row for row in removable if row.id not in kept]
    session.execute(delete(Event).where(Event.id.in_([row.id for row in removable])))
    days: dict[int, set[object]] = defaultdict(set)
    for row in removable:
        if row.machine_id is not None:
            days[row.machine_id].add(row.occurred_at.date())
    for machine_id, dates in sorted(days.items()):
        session.execute(
            update(MachineDay)
            .where(MachineDay.machine_id == machine_id, MachineDay.day.in_(dates))
            .values(events_removed=True)
        )
    return len(removable)


def _referred_to(session: Session, results: Sequence[_Row]) -> set[str]:
    """Those of the results, in order of time, that an alarm or a labelled clip refers to."""
    if not results:
        return set()
    first, last = results[0].occurred_at, results[-1].occurred_at
    machines = {row.machine_id for row in results if row.machine_id is not None}
    alarms = select(Alarm.machine_id, Alarm.raised_at).where(
        Alarm.machine_id.in_(machines), Alarm.raised_at.between(first - AROUND_ALARM, last + AROUND_ALARM)
    )
    clips = select(Clip.machine_id, Clip.heard_at).where(
        Clip.machine_id.in_(machines),
        Clip.labelled_at.is_not(None),
        Clip.deleted_at.is_(None),
        Clip.heard_at.between(first - AROUND_CLIP, last + AROUND_CLIP),
    )
    kept: set[str] = set()
    times = [row.occurred_at for row in results]
    for query, around in ((alarms, AROUND_ALARM), (clips, AROUND_CLIP)):
        for machine_id, at in session.execute(query):
            for place in range(bisect_left(times, at - around), len(results)):
                if times[place] > at + around:
                    break
                if results[place].machine_id == machine_id:
                    kept.add(results[place].id)
    return kept
