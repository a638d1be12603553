"""Rows that several may write at once: the first wins, the others see that it is there."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.dml import ReturningInsert


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
    # one row or many, the statement is made and compiled once
    return list(session.connection().execute(_statement(_dialect(session), table, key), ordered).scalars())


@cache
def _statement(dialect: str, table: type[DeclarativeBase], key: str) -> ReturningInsert[Any]:
    return _insert(dialect, table).on_conflict_do_nothing().returning(table.__table__.c[key])


def inserting(session: Session, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the session's own dialect, which knows ON CONFLICT."""
    return _insert(_dialect(session), table)


def _insert(dialect: str, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    # by the table, not the class: nothing has to be loaded
    target = table.__table__
    assert isinstance(target, Table)
    return sqlite.insert(target) if dialect == "sqlite" else postgresql.insert(target)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name
