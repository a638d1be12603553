"""What a person can choose among: sites, machines, labels."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Clip, Label, Machine

_KEYS = 9


@dataclass(frozen=True, slots=True)
class MachineChoice:
    """A machine in a list."""

    id: int
    site: str
    name: str
    type: str

    @property
    def title(self) -> str:
        """As a list shows it."""
        return f"{self.name} · {self.site}"

    @property
    def pair(self) -> tuple[int, str]:
        """As a field to choose from takes it."""
        return self.id, self.title


def machine_choices(session: Session) -> list[MachineChoice]:
    """All machines, by name."""
    rows = session.execute(
        select(Machine.id, Machine.site, Machine.name, Machine.type).order_by(Machine.name, Machine.site)
    )
    return [MachineChoice(*row) for row in rows]


def site_choices(session: Session) -> list[str]:
    """All sites."""
    return list(session.scalars(select(Machine.site).distinct().order_by(Machine.site)))


def type_choices(session: Session) -> list[str]:
    """All types of machine."""
    return list(session.scalars(select(Machine.type).distinct().order_by(Machine.type)))


def label_choices(session: Session) -> list[str]:
    """Labels that clips carry, without `normal`."""
    rows = session.scalars(
        select(Clip.label).where(Clip.label.is_not(None), Clip.label != "normal").distinct().order_by(Clip.label)
    )
    return [label for label in rows if label is not None]


def fault_keys(session: Session, machine_type: str) -> list[str]:
    """The faults of a machine type that the keys 1 to 9 give, in the order in which they were first used.

    That order never changes when a label is added or becomes frequent: a key keeps its meaning.
    """
    rows = session.scalars(
        select(Label.label)
        .join(Clip, Clip.id == Label.clip_id)
        .join(Machine, Machine.id == Clip.machine_id)
        .where(Machine.type == machine_type, Label.anomalous.is_(True), Label.label != "anomalous")
        .group_by(Label.label)
        .order_by(func.min(Label.id))
        .limit(_KEYS)
    )
    return list(rows)
