"""Rows of an export, some thousand at a time, each batch in a transaction of its own: slow readers hold nothing up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

from training_hub.catalogue.database import Database

BATCH_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Export:
    """A table to be exported.

    Attributes:
        name: Of the table.
        schema: Names and types of its columns, in order.
        query: Its rows, with the columns of `schema`.
        key: What rows are told apart by, in order.
        places: Where the key's values stand in a row of the query.
    """

    name: str
    schema: pa.Schema
    query: Select[Any]
    key: tuple[InstrumentedAttribute[Any], ...]
    places: tuple[int, ...]

    def batches(self, database: Database) -> Iterator[pa.RecordBatch]:
        """All rows, as they are while this is read; at least one batch."""
        after: tuple[Any, ...] | None = None
        first = True
        while True:
            query = self.query.order_by(*self.key).limit(BATCH_ROWS)
            if after is not None:
                query = query.where(_beyond(self.key, after))
            with database.transaction(writes=False) as session:
                rows = session.execute(query).all()
            if not rows and not first:
                return
            first = False
            columns = list(zip(*rows, strict=True)) or [()] * len(self.schema)
            arrays = [pa.array(list(column), field.type) for column, field in zip(columns, self.schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            if len(rows) < BATCH_ROWS:
                return
            after = tuple(rows[-1][place] for place in self.places)


def _beyond(key: tuple[InstrumentedAttribute[Any], ...], after: tuple[Any, ...]) -> ColumnElement[bool]:
    """Rows after a key; written out, for times must be bound as their column's type."""
    first, value = key[0], after[0]
    if len(key) == 1:
        return and_(first > value)
    return or_(first > value, and_(first == value, _beyond(key[1:], after[1:])))
