"""How long whoever tries to log in must wait, from the audit log: all processes of all hubs count together."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import AuditEntry

OPENED, REFUSED = "session.open", "session.refuse"
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 900.0
_REMEMBERED = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_SKEW = timedelta(minutes=1)
"""Of hubs' clocks; what lies further ahead was written by one that was wrong, and keeps nobody out."""


def wait_after(failures: int, free: int) -> float:
    """Seconds from the last of some wrong passwords to when the next attempt is looked at. Pure.

    Args:
        failures: Since the last right one.
        free: As many cost nothing.

    >>> [wait_after(failures, free=5) for failures in (5, 6, 7, 8, 40)]
    [0.0, 1.0, 2.0, 4.0, 900.0]
    """
    if failures <= free:
        return 0.0
    return min(_FIRST_WAIT_S * 2.0 ** min(failures - free - 1, 20), _LONGEST_WAIT_S)


def wait_for_name(session: Session, name: str, address: str, *, free: int, now: datetime) -> float:
    """Seconds that an attempt for a name from an address must wait for wrong passwords before; 0 for none."""
    own = (AuditEntry.subject == subject_of(name), AuditEntry.address == address)
    opened = select(func.max(AuditEntry.id)).where(*own, AuditEntry.action == OPENED).scalar_subquery()
    wanted = select(func.count(), func.max(AuditEntry.at)).where(
        *own,
        AuditEntry.action == REFUSED,
        AuditEntry.at.between(now - _REMEMBERED, now + _SKEW),
        AuditEntry.id > func.coalesce(opened, 0),
    )
    failures, last = session.execute(wanted).one()
    return 0.0 if last is None else max(0.0, wait_after(failures, free) - (now - last).total_seconds())


def wait_for_address(session: Session, address: str, *, most: int, now: datetime) -> float:
    """Seconds until an address has fewer than `most` attempts within a minute behind it; 0 for at once."""
    wanted = (
        select(AuditEntry.at)
        .where(
            AuditEntry.at.between(now - _MINUTE, now + _SKEW),
            AuditEntry.address == address,
            AuditEntry.action.in_((OPENED, REFUSED)),
        )
        .order_by(AuditEntry.at.desc())
        .offset(most - 1)
        .limit(1)
    )
    counts_from = session.scalar(wanted)
    return 0.0 if counts_from is None else (counts_from + _MINUTE - now).total_seconds()


def subject_of(name: str) -> str:
    """As the audit log has a person's name."""
    return f"user:{name[:64]}"
