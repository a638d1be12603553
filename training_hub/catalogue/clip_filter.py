"""Which clips somebody asks for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_

from training_hub.catalogue.tables import Clip, Gateway, Machine

NORMAL = "normal"
DATASETS = ("new", "training", "validation", "external")


@dataclass(frozen=True, slots=True)
class ClipFilter:
    """What clips must be; None asks for nothing.

    Attributes:
        dataset, verdict, reason, kind, origin: As the table has them.
        site, machine, type: Of the machine.
        gateway: Its name.
        label: The very label.
        labelled: Whether a person has labelled it.
        anomalous: What the label says.
        alarm: The alarm's id.
        recording: The recording it was cut from.
        original: Whether it is original data, as imported, or a new sound.
        since, until: When it was heard; from, and before.
        text: Somewhere in machine, type, label, recording or id.
        deleted: False: those that are there; True: those that were deleted; None: both.
        ids: Only these.
    """

    dataset: str | None = None
    machine: str | None = None
    type: str | None = None
    site: str | None = None
    gateway: str | None = None
    verdict: str | None = None
    reason: str | None = None
    kind: str | None = None
    origin: str | None = None
    label: str | None = None
    labelled: bool | None = None
    anomalous: bool | None = None
    alarm: str | None = None
    recording: str | None = None
    original: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    deleted: bool | None = False
    ids: tuple[str, ...] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query on clips joined with their machines and, where `gateway` is asked for, gateways."""
        found: list[ColumnElement[bool]] = []
        for column, wanted in (
            (Clip.dataset, self.dataset),
            (Clip.verdict, self.verdict),
            (Clip.reason, self.reason),
            (Clip.kind, self.kind),
            (Clip.origin, self.origin),
            (Clip.label, self.label),
            (Clip.anomalous, self.anomalous),
            (Clip.alarm, self.alarm),
            (Clip.recording, self.recording),
            (Clip.original, self.original),
            (Machine.name, self.machine),
            (Machine.type, self.type),
            (Machine.site, self.site),
            (Gateway.name, self.gateway),
        ):
            if wanted is not None:
                found.append(column == wanted)
        if self.labelled is not None:
            found.append(Clip.label.is_not(None) if self.labelled else Clip.label.is_(None))
        if self.deleted is not None:
            found.append(Clip.deleted_at.is_not(None) if self.deleted else Clip.deleted_at.is_(None))
        if self.since is not None:
            found.append(Clip.heard_at >= self.since)
        if self.until is not None:
            found.append(Clip.heard_at < self.until)
        if self.ids is not None:
            found.append(Clip.id.in_(self.ids))
        if self.text:
            searched = (Machine.name, Machine.type, Clip.label, Clip.recording, Clip.id)
            found.append(or_(*(column.icontains(self.text, autoescape=True) for column in searched)))
        return found
