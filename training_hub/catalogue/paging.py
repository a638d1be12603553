"""Pages of what has a time and an id, the newest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from training_hub.catalogue.cursor import Cursor
from training_hub.catalogue.errors import CatalogueError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of rows.

    Attributes:
        rows: The newest first.
        next: Where the next page begins; None on the last.
    """

    rows: Sequence[Row]
    next: str | None


@dataclass(frozen=True, slots=True)
class Timeline(Generic[Row]):
    """How rows stand in time.

    Attributes:
        name: Of the order, in cursors.
        at, id: The columns.
        place: Their values of a row.
    """

    name: str
    at: InstrumentedAttribute[datetime]
    id: InstrumentedAttribute[str]
    place: Callable[[Row], tuple[datetime, str]]

    def page(self, session: Session, query: Select[Any], *, limit: int, cursor: str | None) -> Page[Row]:
        """A page of a query's rows.

        Raises:
            CatalogueError: No such cursor.
        """
        if cursor is not None:
            found = Cursor.decode(cursor, sort=self.name)
            moment = found.moment()
            if moment is None:
                raise CatalogueError("the cursor is none; leave it out to begin at the start")
            query = query.where(tuple_(self.at, self.id) < tuple_(moment, found.id))
        rows = session.scalars(query.order_by(self.at.desc(), self.id.desc()).limit(limit + 1)).unique().all()
        if len(rows) <= limit:
            return Page(rows, None)
        at, id_ = self.place(rows[limit - 1])
        return Page(rows[:limit], Cursor(self.name, at.isoformat(), id_).encode())
