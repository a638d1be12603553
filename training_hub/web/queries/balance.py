"""What the catalogue holds, and what it lacks to learn from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Clip, Machine

ENOUGH_NORMALS = 10
ENOUGH_RECORDINGS = 3
ENOUGH_ANOMALIES = 5


@dataclass(frozen=True, slots=True)
class MachineBalance:
    """One machine's clips.

    Attributes:
        machine_id, site, machine, type: Whose.
        training, validation, new, external: By dataset.
        normal, anomalous, unlabelled: By label.
        recordings: Days or sessions that its normals come from.
    """

    machine_id: int
    site: str
    machine: str
    type: str
    training: int
    validation: int
    new: int
    external: int
    normal: int
    anomalous: int
    unlabelled: int
    recordings: int

    @property
    def total(self) -> int:
        """All of its clips."""
        return self.training + self.validation + self.new + self.external

    @property
    def missing(self) -> list[str]:
        """What should be added before it is trained on or judged by."""
        found = []
        if self.normal < ENOUGH_NORMALS:
            found.append(f"{ENOUGH_NORMALS - self.normal} more normal clips")
        if self.recordings < ENOUGH_RECORDINGS:
            found.append(f"normals of {ENOUGH_RECORDINGS - self.recordings} more days")
        if self.anomalous < ENOUGH_ANOMALIES:
            found.append(f"{ENOUGH_ANOMALIES - self.anomalous} more anomalous clips to be judged by")
        return found


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often a label was given, for a type of machine."""

    type: str
    label: str
    anomalous: bool
    clips: int
    machines: int


def machine_balance(session: Session) -> list[MachineBalance]:
    """Every machine, those with clips and those without, by site and name."""
    count = {
        name: func.sum(case((Clip.dataset == name, 1), else_=0))
        for name in ("training", "validation", "new", "external")
    }
    rows = session.execute(
        select(
            Machine.id,
            Machine.site,
            Machine.name,
            Machine.type,
            *count.values(),
            func.sum(case((Clip.anomalous.is_(False), 1), else_=0)),
            func.sum(case((Clip.anomalous.is_(True), 1), else_=0)),
            func.sum(case(((Clip.id.is_not(None)) & Clip.anomalous.is_(None), 1), else_=0)),
            func.count(case((Clip.anomalous.is_(False), Clip.recording)).distinct()),
        )
        .outerjoin(Clip, (Clip.machine_id == Machine.id) & Clip.deleted_at.is_(None))
        .group_by(Machine.id, Machine.site, Machine.name, Machine.type)
        .order_by(Machine.site, Machine.name)
    )
    return [MachineBalance(*row[:4], *(int(value or 0) for value in row[4:])) for row in rows]


def label_counts(session: Session) -> list[LabelCount]:
    """Labels by type of machine, the commonest first."""
    rows = session.execute(
        select(Machine.type, Clip.label, Clip.anomalous, func.count(), func.count(Machine.id.distinct()))
        .join(Machine, Machine.id == Clip.machine_id)
        .where(Clip.label.is_not(None), Clip.deleted_at.is_(None))
        .group_by(Machine.type, Clip.label, Clip.anomalous)
        .order_by(Machine.type, func.count().desc())
    )
    return [LabelCount(kind, label or "", bool(odd), clips, machines) for kind, label, odd, clips, machines in rows]
