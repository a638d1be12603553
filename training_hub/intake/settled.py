"""Days of machines whose events were removed for their age: what comes for them again is known, and counted already."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.events import EventKind
from training_hub.catalogue.tables import MachineDay
from training_hub.config.retention import LEAST_EVENTS_DAYS

if TYPE_CHECKING:
    from training_hub.intake.events import Known

_KINDS = (EventKind.RESULT, EventKind.HEALTH)


def without_settled(
    session: Session, events: Sequence["Known"], machines: Mapping[str, int], now: datetime
) -> list["Known"]:
    """Those events that may still be written.

    Args:
        session: The transaction in which they will be.
        events: Checked ones.
        machines: Ids by name.
        now: The hub's clock.
    """
    oldest_kept = now - timedelta(days=LEAST_EVENTS_DAYS)

    def place(known: "Known") -> tuple[int, object] | None:
        if known.kind not in _KINDS or known.machine is None or oldest_kept <= known.occurred_at <= now:
            return None
        return machines[known.machine], known.occurred_at.date()

    places = {found for known in events if (found := place(known)) is not None}
    if not places:
        return list(events)
    rows = session.execute(
        select(MachineDay.machine_id, MachineDay.day).where(
            MachineDay.machine_id.in_({machine_id for machine_id, _ in places}),
            MachineDay.day.in_({day for _, day in places}),
            MachineDay.events_removed,
        )
    )
    settled = {(machine_id, day) for machine_id, day in rows}
    return [known for known in events if place(known) not in settled]
