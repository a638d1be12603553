"""What the gateway remembers of clips beside their sidecars: those that must not or need not go, and labels told."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.database import SyncDatabase

FILE_NAME = "sync.db"
_SCHEMA = """
CREATE TABLE aside (clip TEXT PRIMARY KEY, reason TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL)
  WITHOUT ROWID;
CREATE TABLE told (clip TEXT PRIMARY KEY, label TEXT NOT NULL) WITHOUT ROWID;
"""


class Aside(StrEnum):
    """Why a clip is not sent; a bounded set, for it labels a metric."""

    SPEECH = "speech"
    """Somebody may speak in it: it does not leave the gateway."""
    DAMAGED = "damaged"
    """Its file cannot be read, or the hub finds that file and record are not what they say (422)."""
    TOO_LARGE = "too_large"
    """413."""
    CONFLICT = "conflict"
    """The hub has another clip under its id (409)."""
    REFUSED = "refused"
    """Another 4xx: no clip to the hub, or another gateway's."""


ASIDE_OF_STATUS = {409: Aside.CONFLICT, 413: Aside.TOO_LARGE, 422: Aside.DAMAGED}


@dataclass(frozen=True, slots=True)
class SetAside:
    """A clip that is not sent.

    Attributes:
        clip: Its id.
        reason: Why, in a word.
        why: Why, in a sentence.
        at: Since when.
    """

    clip: str
    reason: Aside
    why: str
    at: str


class SyncMarks:
    """`<state>/sync.db`. Any thread, several processes. It may be lost: then some clips are tried once more.

    Every method raises `SyncError` where the disk refuses it.

    Args:
        state_dir: Where it lies.
    """

    def __init__(self, state_dir: Path) -> None:
        self._database = SyncDatabase(state_dir / FILE_NAME, _SCHEMA)

    def set_aside(self, clip: str, reason: Aside, why: str, *, by: str = "") -> None:
        """Send this clip no more.

        Args:
            clip: Its id.
            reason: Why, in a word.
            why: Why, in a sentence.
            by: What judged it, for another may judge otherwise: the speech screen, or the agent's version.
        """
        values = (clip, reason.value, why[:1000], by, rfc3339(time.time_ns()))
        self._database.run(lambda db: db.execute("INSERT OR REPLACE INTO aside VALUES (?, ?, ?, ?, ?)", values))

    def aside(self) -> tuple[SetAside, ...]:
        """Clips that are not sent, the newest last."""
        query = "SELECT clip, reason, why, at FROM aside ORDER BY at, clip"
        found = self._database.read(lambda db: db.execute(query).fetchall())
        return tuple(SetAside(clip, Aside(reason), why, at) for clip, reason, why, at in found)

    def judged(self, reason: Aside, by: str) -> None:
        """Forget what another judge than this one set aside for a reason: it is looked at anew."""
        query = "DELETE FROM aside WHERE reason = ? AND by <> ?"
        self._database.run(lambda db: db.execute(query, (reason.value, by)))

    def retry(self) -> int:
        """Try once more whatever the hub refused; what the speech screen says stays. Returns how many clips."""
        query = "DELETE FROM aside WHERE reason <> ?"
        return self._database.run(lambda db: db.execute(query, (Aside.SPEECH.value,)).rowcount)

    def told(self, clip: str, label: str | None) -> None:
        """The hub knows this label of a clip; None: that it has none."""
        self._database.run(lambda db: db.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (clip, label or "")))

    def labels_told(self) -> dict[str, str | None]:
        """The label that the hub knows of each clip it was told of."""
        found = self._database.read(lambda db: db.execute("SELECT clip, label FROM told").fetchall())
        return {clip: label or None for clip, label in found}

    def forget_all_but(self, clips: Iterable[str]) -> None:
        """Forget clips that are gone."""
        kept = set(clips)

        def prune(db: sqlite3.Connection) -> None:
            for table in ("aside", "told"):
                gone = [(clip,) for (clip,) in db.execute(f"SELECT clip FROM {table}") if clip not in kept]
                db.executemany(f"DELETE FROM {table} WHERE clip = ?", gone)

        self._database.run(prune)

    def close(self) -> None:
        """Free the file."""
        self._database.close()
