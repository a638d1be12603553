"""Visits of people who came by a browser: a secret in a cookie, its SHA-256 in a table."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from training_hub.accounts.secrets import digest, new_secret
from training_hub.catalogue.tables import Session as Visit
from training_hub.catalogue.tables import User
from training_hub.catalogue.types import utc_now


@dataclass(frozen=True, slots=True)
class NewVisit:
    """A visit at the one moment that its secret is known.

    Attributes:
        secret: For the cookie.
        csrf_token: To be sent back in a header with everything that changes something.
        max_age_s: How long it lasts.
    """

    secret: str
    csrf_token: str
    max_age_s: int


def open_visit(session: Session, user: User, hours: float) -> NewVisit:
    """Begin a visit, with a secret of its own; visits that are over are forgotten."""
    now = utc_now()
    session.execute(delete(Visit).where(Visit.expires_at < now))
    made = NewVisit(new_secret(), new_secret(), int(hours * 3600))
    session.add(
        Visit(
            sha256=digest(made.secret),
            user_id=user.id,
            csrf_token=made.csrf_token,
            expires_at=now + timedelta(seconds=made.max_age_s),
        )
    )
    return made


def find_visit(session: Session, secret: str) -> Visit | None:
    """The visit of a cookie, unless it is over or its account was shut."""
    visit = session.scalar(select(Visit).where(Visit.sha256 == digest(secret)))
    if visit is None or visit.expires_at <= utc_now() or visit.user.disabled:
        return None
    return visit


def close_visit(session: Session, secret: str) -> None:
    """End a visit."""
    session.execute(delete(Visit).where(Visit.sha256 == digest(secret)))
