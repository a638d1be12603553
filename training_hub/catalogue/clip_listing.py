"""Pages of clips, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, contains_eager, defer

from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.cursor import Cursor, Value
from training_hub.catalogue.errors import CatalogueError
from training_hub.catalogue.tables import Clip, Gateway, Machine

MOST = 500

_SORTS: dict[str, InstrumentedAttribute[Any]] = {
    "heard_at": Clip.heard_at,
    "received_at": Clip.received_at,
    "labelled_at": Clip.labelled_at,
    "score": Clip.score,
    "percentile": Clip.percentile,
    "level_dbfs": Clip.level_dbfs,
    "label": Clip.label,
    "machine": Machine.name,
}
SORTS = tuple(sign + name for name in _SORTS for sign in ("", "-"))
_NULLABLE = frozenset({"labelled_at", "score", "percentile", "level_dbfs", "label"})
_TIMES = frozenset({"heard_at", "received_at", "labelled_at"})


@dataclass(frozen=True, slots=True)
class ClipPage:
    """A page of clips.

    Attributes:
        clips: With machine and gateway; without embedding and sidecar.
        next: Where the next page begins; None on the last.
    """

    clips: Sequence[Clip]
    next: str | None


def list_clips(
    session: Session, wanted: ClipFilter, *, sort: str = "-heard_at", limit: int = 50, cursor: str | None = None
) -> ClipPage:
    """A page of clips; those without a value come last in either direction.

    Args:
        session: A transaction.
        wanted: Which.
        sort: One of `SORTS`; equal ones by id.
        limit: How many, at most `MOST`.
        cursor: `ClipPage.next` of the page before.

    Raises:
        CatalogueError: No such order, or no such cursor.
    """
    name = sort.removeprefix("-")
    if name not in _SORTS:
        raise CatalogueError(f"clips cannot be sorted by {name!r}; use one of {', '.join(_SORTS)}")
    column, down = _SORTS[name], sort.startswith("-")
    query = (
        select(Clip)
        .join(Clip.machine)
        .join(Clip.gateway, isouter=True)
        .where(*wanted.conditions())
        .options(contains_eager(Clip.machine), contains_eager(Clip.gateway), defer(Clip.embedding), defer(Clip.sidecar))
    )
    begin = None if cursor is None else Cursor.decode(cursor, sort=sort)
    order = (column.desc(), Clip.id.desc()) if down else (column.asc(), Clip.id.asc())
    rows: list[Clip] = []
    wanted_rows = min(limit, MOST) + 1
    # those with a value, then those without: asked for at once, PostgreSQL would sort all that there are
    for stretch in _stretches(column, begin, name, down=down):
        if len(rows) < wanted_rows:
            rows += session.scalars(query.where(*stretch).order_by(*order).limit(wanted_rows - len(rows)))
    clips = rows[: min(limit, MOST)]
    more = len(rows) > len(clips)
    return ClipPage(clips, Cursor(sort, _value(clips[-1], name), clips[-1].id).encode() if more else None)


def _stretches(
    column: InstrumentedAttribute[Any], begin: Cursor | None, name: str, *, down: bool
) -> list[tuple[ColumnElement[bool], ...]]:
    """Conditions of the rows after the cursor: those with a value, and those without where there may be any."""
    after = () if begin is None else (_beyond(column, begin, name, down=down),)
    if name not in _NULLABLE:
        return [after]
    without = column.is_(None)
    if begin is None or begin.value is not None:
        return [(column.is_not(None), *after), (without,)]
    return [(without, *after)]


def _beyond(column: InstrumentedAttribute[Any], cursor: Cursor, name: str, *, down: bool) -> ColumnElement[bool]:
    """The rows after the cursor, of those that have a value as it has one, or none."""
    value: datetime | Value = cursor.moment() if name in _TIMES else cursor.value
    if name not in _TIMES and value is not None and isinstance(value, str) != (name in ("label", "machine")):
        raise CatalogueError("the cursor is none; leave it out to begin at the start")
    if value is None:
        return Clip.id < cursor.id if down else Clip.id > cursor.id
    pair, last = tuple_(column, Clip.id), tuple_(value, cursor.id)
    return pair < last if down else pair > last


def _value(clip: Clip, name: str) -> Value:
    found: Any = clip.machine.name if name == "machine" else getattr(clip, name)
    return found.isoformat() if isinstance(found, datetime) else found


def count_clips(session: Session, wanted: ClipFilter) -> int:
    """How many there are."""
    return int(session.scalar(_joined(select(func.count()).select_from(Clip), wanted)) or 0)


FACETS: dict[str, InstrumentedAttribute[Any]] = {
    "dataset": Clip.dataset,
    "machine": Machine.name,
    "type": Machine.type,
    "site": Machine.site,
    "verdict": Clip.verdict,
    "reason": Clip.reason,
    "label": Clip.label,
    "anomalous": Clip.anomalous,
}


def count_by(session: Session, wanted: ClipFilter, facet: str) -> list[tuple[str | None, int]]:
    """How many clips have each value of one of `FACETS`, the most frequent first.

    Raises:
        CatalogueError: No such facet.
    """
    if facet not in FACETS:
        raise CatalogueError(f"clips cannot be counted by {facet!r}; use one of {', '.join(FACETS)}")
    column = FACETS[facet]
    query = _joined(select(column, func.count()).select_from(Clip), wanted).group_by(column)
    rows = session.execute(query.order_by(func.count().desc(), column).limit(MOST)).all()
    return [(None if value is None else str(value).lower() if value in (True, False) else str(value), int(count))
            for value, count in rows]  # fmt: skip


def _joined(query: Any, wanted: ClipFilter) -> Any:  # noqa: ANN401  # a select of any columns
    joined = query.join(Machine, Clip.machine_id == Machine.id)
    if wanted.gateway is not None:
        joined = joined.join(Gateway, Clip.gateway_id == Gateway.id)
    return joined.where(*wanted.conditions())
