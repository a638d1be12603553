"""Rows that several may write at once: the first wins, the others see that it is there."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

_MOST_PARAMETERS = 30_000  # SQLite's bound is 32,766


def insert_new(
    session: Session, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]], key: str
) -> list[Any]:
    """Insert what is not there yet, without an error for what is.

    Args:
        session: A writing transaction.
        table: Which.
        rows: Values by column, each row with the same columns.
        key: The column that tells rows apart; in the order of it they are locked.

    Returns:
        Keys of the rows that are new.
    """
    made: list[Any] = []
    if not rows:
        return made
    ordered = sorted(rows, key=lambda row: row[key])
    step = max(1, _MOST_PARAMETERS // len(ordered[0]))
    for first in range(0, len(ordered), step):
        statement = inserting(session, table).values(list(ordered[first : first + step]))
        column = getattr(table, key)
        made += session.scalars(statement.on_conflict_do_nothing().returning(column))
    return made


def inserting(session: Session, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the session's own dialect, which knows ON CONFLICT."""
    target = table.__table__
    assert isinstance(target, Table)
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(target)
    return postgresql.insert(target)
