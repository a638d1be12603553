"""The words of the clips' address, and what the catalogue is asked for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.tables import Clip, Machine
from training_hub.parts import HubParts
from training_hub.sounds.alike import nearest_normal
from training_hub.web.errors import WebError

PAGE = 50


@dataclass(frozen=True, slots=True)
class ClipWords:
    """What of the clips is shown; every field is a word of the address.

    Attributes:
        machine: A machine's row.
        site, type: Of the machine.
        dataset, verdict, reason: As in the table.
        label: `none`, `any`, `anomalous` (any fault), or a label.
        since, until: Days of UTC, both included.
        text: Somewhere in machine, type, label, recording or id.
        original: `yes`: the data that the hub began with; `no`: new sounds.
        deleted: `yes`: what was deleted instead.
    """

    machine: int | None = None
    site: str | None = None
    type: str | None = None
    dataset: str | None = None
    verdict: str | None = None
    reason: str | None = None
    label: str | None = None
    since: date | None = None
    until: date | None = None
    text: str | None = None
    original: str | None = None
    deleted: str | None = None

    def pairs(self) -> list[tuple[str, Any]]:
        """For an address."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    @property
    def is_narrow(self) -> bool:
        """Whether anything was chosen."""
        return any(value not in (None, "") for _, value in self.pairs())

    def wanted(self, session: Session) -> ClipFilter:
        """What the catalogue is asked for."""
        found = ClipFilter(
            site=self.site,
            type=self.type,
            dataset=self.dataset,
            verdict=self.verdict,
            reason=self.reason,
            since=None if self.since is None else _midnight(self.since),
            until=None if self.until is None else _midnight(self.until) + timedelta(days=1),
            text=self.text,
            original=None if self.original is None else self.original == "yes",
            deleted=self.deleted == "yes",
        )
        if self.machine is not None:
            machine = session.get(Machine, self.machine)
            found = (
                replace(found, ids=()) if machine is None else replace(found, machine=machine.name, site=machine.site)
            )
        if self.label in ("none", "any"):
            return replace(found, labelled=self.label == "any")
        if self.label == "anomalous":
            return replace(found, anomalous=True)
        return replace(found, label=self.label)


def read_words(query: dict[str, str]) -> ClipWords:
    """The words of an address; empty ones are no choice, unknown ones are left out.

    Raises:
        WebError: A word that means nothing.
    """
    said = {name: value for name, value in query.items() if value}
    plain = ("site", "type", "dataset", "verdict", "reason", "label", "text", "original", "deleted")
    try:
        return ClipWords(
            machine=int(said["machine"][:9]) if "machine" in said else None,
            since=date.fromisoformat(said["since"]) if "since" in said else None,
            until=date.fromisoformat(said["until"]) if "until" in said else None,
            **{name: said[name] for name in plain if name in said},
        )
    except ValueError as error:
        raise WebError(f"the filter in the address cannot be read: {error}; choose again") from error


def _midnight(day: date) -> datetime:
    if not 1970 <= day.year <= 9000:
        raise WebError(f"{day} is no day that anything was heard on; choose another")
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def find_clip(session: Session, clip_id: str) -> Clip:
    """One clip, deleted or not.

    Raises:
        WebError: There is none of that id.
    """
    clip = session.get(Clip, clip_id)
    if clip is None:
        raise WebError(f"there is no clip {clip_id[:40]}; it may have been purged", missing=True)
    return clip


def heard_beside(parts: HubParts, clip: Clip) -> tuple[Clip | None, float | None]:
    """The machine's normal clip that a clip is most alike to, and how far away it is: 0 the same, 1 unrelated."""
    near = nearest_normal(parts, clip)
    if near is None:
        return None, None
    with parts.database.transaction(writes=False) as session:
        return session.get(Clip, near.clip), near.distance
