"""People's accounts: made, changed, logged in to."""

import re

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from training_hub.accounts.errors import AccountError
from training_hub.accounts.principal import Person, Role
from training_hub.accounts.secrets import PERSON_PREFIX, NewKey, new_key
from training_hub.catalogue.audit import record
from training_hub.catalogue.tables import ApiKey, User
from training_hub.catalogue.tables import Session as Visit
from training_hub.catalogue.types import utc_now

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


def role_of(word: str) -> Role:
    """The role that a word stands for.

    Raises:
        AccountError: There is no such role.

    >>> role_of("engineer")
    <Role.ENGINEER: 3>
    """
    try:
        return Role[word.upper()]
    except KeyError:
        raise AccountError(f"{word!r} is no role; one of {', '.join(role.name.lower() for role in Role)}") from None


def person_of(user: User) -> Person:
    """The principal of an account."""
    return Person(user.id, user.name, role_of(user.role))


def find_user(session: Session, name: str) -> User:
    """An account by its name.

    Raises:
        AccountError: There is none.
    """
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise AccountError(f"there is no user {name!r}; training-hub users list shows them")
    return user


def all_users(session: Session) -> list[User]:
    """Every account, by name."""
    return list(session.scalars(select(User).order_by(User.name)))


def add_user(session: Session, name: str, role: Role, *, password_hash: str | None, by: str) -> User:
    """Make an account.

    Raises:
        AccountError: The name is taken, or none that an account can have.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} cannot be a user's name: 1 to 64 letters, digits, '_', '.', '-', '@'")
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise AccountError(f"there is a user {name!r} already; choose another name, or use set-role and set-password")
    user = User(name=name, role=role.name.lower(), password_hash=password_hash)
    session.add(user)
    session.flush()
    record(session, by, "user.add", f"user:{name}", {"role": user.role})
    return user


def set_role(session: Session, name: str, role: Role, *, by: str) -> None:
    """Give another role; it holds from the next request on."""
    user = find_user(session, name)
    before, user.role = user.role, role.name.lower()
    record(session, by, "user.role", f"user:{name}", {"from": before, "to": user.role})


def set_password(session: Session, name: str, password_hash: str, *, by: str) -> None:
    """Set a new password, and end every session that the old one opened."""
    user = find_user(session, name)
    user.password_hash = password_hash
    end_visits(session, user)
    record(session, by, "user.password", f"user:{name}")


def set_disabled(session: Session, name: str, disabled: bool, *, by: str) -> None:
    """Shut an account, or open it again; its sessions end."""
    user = find_user(session, name)
    user.disabled = disabled
    end_visits(session, user)
    record(session, by, "user.disable" if disabled else "user.enable", f"user:{name}")


def end_visits(session: Session, user: User) -> None:
    """Log a person out everywhere."""
    session.execute(delete(Visit).where(Visit.user_id == user.id))


def add_key(session: Session, name: str, *, by: str) -> NewKey:
    """A key for a person's scripts; it may do what the person may."""
    user = find_user(session, name)
    key = new_key(PERSON_PREFIX)
    session.add(ApiKey(sha256=key.sha256, prefix=key.prefix, user_id=user.id))
    record(session, by, "key.add", f"user:{name}", {"prefix": key.prefix})
    return key


def revoke_keys(session: Session, name: str, *, prefix: str | None, by: str) -> int:
    """End a person's keys, or the one with this prefix; returns how many."""
    user = find_user(session, name)
    wanted = select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None))
    keys = session.scalars(wanted if prefix is None else wanted.where(ApiKey.prefix == prefix)).all()
    for key in keys:
        key.revoked_at = utc_now()
        record(session, by, "key.revoke", f"user:{name}", {"prefix": key.prefix})
    return len(keys)
