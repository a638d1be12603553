"""What a map shows of each clip, in short: from the database alone, whether the map must be made anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import SQLColumnExpression, exists, func, or_, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Clip, Machine
from training_hub.web.queries.embeddings import MOST, on_map

_MOST_CAME = 1000
_BETWEEN = "\x1f"  # ASCII's own: no id holds it


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown, at a moment. An embedding is none of it: a clip keeps the one that it came with.

    Attributes:
        lines: One for each clip, the latest first: its id, and all else that is shown of it.
        at: When it was read, or just before.
        most: Clips that a map shows at most.
    """

    lines: str
    at: datetime = field(compare=False)
    most: int = MOST

    def by_clip(self) -> dict[str, str]:
        """What is shown of each, the latest first."""
        return {line.partition(_BETWEEN)[0]: line for line in self.lines.split("\n")} if self.lines else {}


def shown(session: Session, bundle_sha256: str, at: datetime, most: int = MOST) -> Shown:
    """What a map of a bundle shows now, put together by the database: a sixth of what it takes to make the map."""
    clips = (
        select(_line(Clip.id, Clip.label, Clip.verdict, Machine.name, Machine.site, Machine.type).label("line"))
        .join(Machine, Machine.id == Clip.machine_id)
        .where(*on_map(bundle_sha256))
        .order_by(Clip.heard_at.desc(), Clip.id.desc())
        .limit(most)
        .subquery()
    )
    return Shown(session.scalar(select(func.aggregate_strings(clips.c.line, "\n"))) or "", at, most)


def only_came(session: Session, before: Shown, now: Shown) -> bool:
    """Whether all that changed is that gateways' clips came, for which others made room where a map is full.

    A clip that was there before, and is back, was restored: that is somebody's deed, as an upload is.
    """
    former, present = before.by_clip(), now.by_clip()
    came, gone = present.keys() - former.keys(), former.keys() - present.keys()
    if len(came) > _MOST_CAME or any(former.get(id_, line) != line for id_, line in present.items()):
        return False
    if gone:
        made_room = len(present) == now.most and len(gone) <= len(came)
        if not made_room or gone != set(list(former)[-len(gone) :]):
            return False
    deed = or_(Clip.origin != "gateway", Clip.received_at <= before.at)
    return not session.scalar(select(exists().where(Clip.id.in_(came), deed)))


def _line(id_: SQLColumnExpression[str], *others: SQLColumnExpression[Any]) -> SQLColumnExpression[str]:
    line = id_
    for column in others:
        line = line + _BETWEEN + func.coalesce(column, "")
    return line
