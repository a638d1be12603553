"""Rows that several may write at once: the first wins, the others see that it is there."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


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
    if not rows:
        return []
    ordered = sorted((dict(row) for row in rows), key=lambda row: row[key])
    statement = inserting(session, table).on_conflict_do_nothing().returning(table.__table__.c[key])
    # by the table, not the class: nothing has to be loaded; one row or many, the statement is compiled once
    return list(session.connection().execute(statement, ordered).scalars())


def inserting(session: Session, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the session's own dialect, which knows ON CONFLICT."""
    target = table.__table__
    assert isinstance(target, Table)
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(target)
    return postgresql.insert(target)
