"""A witness inside the outbox's own file: what was committed there, though the agent deletes it once it is sent.

Triggers of SQLite write down every row in the transaction that adds it: an event is in the witness's table exactly if
its commit is on the disk, whoever is killed when, and without asking the agent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.delivery.payload_codec import unpack
from edge_agent.delivery.sqlite_outbox import SqliteOutbox

_SCHEMA = """
CREATE TABLE witness_life (life INTEGER NOT NULL);
INSERT INTO witness_life VALUES (0);
CREATE TABLE witness (
  place INTEGER PRIMARY KEY AUTOINCREMENT, life INTEGER NOT NULL, event_id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL,
  payload BLOB NOT NULL, gone INTEGER NOT NULL DEFAULT 0
);
CREATE TRIGGER witness_accepted AFTER INSERT ON outbox BEGIN
  INSERT INTO witness (life, event_id, topic, payload)
    SELECT life, NEW.event_id, NEW.topic, NEW.payload FROM witness_life;
END;
CREATE TRIGGER witness_gone AFTER DELETE ON outbox BEGIN
  UPDATE witness SET gone = 1 WHERE event_id = OLD.event_id;
END;
"""


@dataclass(frozen=True)
class Accepted:
    """One event that was committed; `life` counts the agent's starts, `gone` tells that the outbox deleted it."""

    life: int
    event_id: str
    topic: str
    payload: bytes
    gone: bool


class OutboxWitness:
    """Stands in an outbox's file from before the first start of its agent.

    Args:
        path: The file; made here, as the agent makes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        SqliteOutbox(path).close()
        with self._opened() as db:
            db.executescript(_SCHEMA)

    def next_life(self) -> None:
        """The agent is about to start again; nobody holds the file."""
        with self._opened() as db:
            db.execute("UPDATE witness_life SET life = life + 1")

    def accepted(self) -> list[Accepted]:
        """Every event that was ever committed, in order; nobody holds the file."""
        with self._opened() as db:
            rows = db.execute("SELECT life, event_id, topic, payload, gone FROM witness ORDER BY place").fetchall()
        return [
            Accepted(life, event_id, topic, unpack(packed), bool(gone)) for life, event_id, topic, packed, gone in rows
        ]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10.0, isolation_level=None)) as db:
            yield db
