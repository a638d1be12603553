"""Machines: which there are, and how one fared over months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Alarm, Clip, Machine, MachineDay


@dataclass(frozen=True, slots=True)
class Balance:
    """A machine's clips.

    Attributes:
        normal, anomalous, unlabelled: By label.
        training, validation, external, new: By dataset.
        last_heard_at: When the newest was heard.
    """

    normal: int = 0
    anomalous: int = 0
    unlabelled: int = 0
    training: int = 0
    validation: int = 0
    external: int = 0
    new: int = 0
    last_heard_at: datetime | None = None

    @property
    def clips(self) -> int:
        """All of them."""
        return self.normal + self.anomalous + self.unlabelled


@dataclass(frozen=True, slots=True)
class MachineLine:
    """A machine in a list.

    Attributes:
        machine: The row.
        balance: Its clips.
        open_alarms: Alarms that are not over.
    """

    machine: Machine
    balance: Balance
    open_alarms: int


def list_machines(
    session: Session,
    *,
    site: str | None = None,
    type_: str | None = None,
    machine_id: int | None = None,
    after: int = 0,
    limit: int = 500,
) -> list[MachineLine]:
    """Machines by their number, with their clips and alarms.

    Args:
        session: A transaction.
        site: Only this plant's.
        type_: Only those of this type.
        machine_id: Only this one.
        after: Number of the last machine of the page before.
        limit: How many at most.
    """
    query = select(Machine).where(Machine.id > after).order_by(Machine.id).limit(limit)
    for column, wanted in ((Machine.site, site), (Machine.type, type_), (Machine.id, machine_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    machines = session.scalars(query).all()
    ids = [machine.id for machine in machines]
    balances = _balances(session, ids)
    alarms = dict(
        session.execute(
            select(Alarm.machine_id, func.count())
            .where(Alarm.machine_id.in_(ids), Alarm.state != "normal")
            .group_by(Alarm.machine_id)
        ).all()
    )
    return [
        MachineLine(machine, balances.get(machine.id, Balance()), int(alarms.get(machine.id, 0)))
        for machine in machines
    ]


def days_of(session: Session, machine_id: int, *, since: date, until: date) -> Sequence[MachineDay]:
    """A machine's days, `until` not included, in order."""
    return session.scalars(
        select(MachineDay)
        .where(MachineDay.machine_id == machine_id, MachineDay.day >= since, MachineDay.day < until)
        .order_by(MachineDay.day)
    ).all()


def _balances(session: Session, ids: Sequence[int]) -> dict[int, Balance]:
    def those(condition: object) -> object:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)  # type: ignore[arg-type]  # a column's condition

    rows = session.execute(
        select(
            Clip.machine_id,
            those(Clip.anomalous.is_(False)),
            those(Clip.anomalous.is_(True)),
            those(Clip.anomalous.is_(None)),
            those(Clip.dataset == "training"),
            those(Clip.dataset == "validation"),
            those(Clip.dataset == "external"),
            those(Clip.dataset == "new"),
            func.max(Clip.heard_at),
        )  # type: ignore[call-overload]  # more columns than the stubs have overloads for
        .where(Clip.machine_id.in_(ids), Clip.deleted_at.is_(None))
        .group_by(Clip.machine_id)
    ).all()
    return {
        row[0]: Balance(
            normal=int(row[1]),
            anomalous=int(row[2]),
            unlabelled=int(row[3]),
            training=int(row[4]),
            validation=int(row[5]),
            external=int(row[6]),
            new=int(row[7]),
            last_heard_at=row[8],
        )
        for row in rows
    }
