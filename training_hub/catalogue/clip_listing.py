"""Pages of clips, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
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
    if cursor is not None:
        query = query.where(_beyond(column, Cursor.decode(cursor, sort=sort), name, down=down))
    first = column.desc() if down else column.asc()
    order = (first.nulls_last() if name in _NULLABLE else first, Clip.id.desc() if down else Clip.id.asc())
    rows = session.scalars(query.order_by(*order).limit(min(limit, MOST) + 1)).all()
    clips = rows[: min(limit, MOST)]
    more = len(rows) > len(clips)
    return ClipPage(clips, Cursor(sort, _value(clips[-1], name), clips[-1].id).encode() if more else None)


def _beyond(column: InstrumentedAttribute[Any], cursor: Cursor, name: str, *, down: bool) -> ColumnElement[bool]:
    """The rows after the cursor."""
    value: datetime | Value = cursor.moment() if name in _TIMES else cursor.value
    if name not in _TIMES and value is not None and isinstance(value, str) != (name in ("label", "machine")):
        raise CatalogueError("the cursor is none; leave it out to begin at the start")
    by_id = Clip.id < cursor.id if down else Clip.id > cursor.id
    if value is None:
        return and_(column.is_(None), by_id)
    pair, last = tuple_(column, Clip.id), tuple_(value, cursor.id)
    after: ColumnElement[bool] = pair < last if down else pair > last
    return or_(after, column.is_(None)) if name in _NULLABLE else after


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
