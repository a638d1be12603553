"""Logging in by name and password."""

import math

from sqlalchemy import select

from training_hub.accounts.attempts import OPENED, REFUSED, subject_of, wait_for_address, wait_for_name
from training_hub.accounts.errors import AccountError
from training_hub.accounts.passwords import Passwords
from training_hub.accounts.people import person_of
from training_hub.accounts.principal import Person
from training_hub.accounts.rates import Rates
from training_hub.accounts.visits import NewVisit, close_visit, open_visit
from training_hub.catalogue.audit import record
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import User
from training_hub.catalogue.types import utc_now
from training_hub.config.accounts import AccountsSection


class TooOftenError(AccountError):
    """Asked too often.

    Attributes:
        wait_s: When to ask again.
    """

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many attempts; try again in {wait_s} s")
        self.wait_s = wait_s


class LoginDesk:
    """Lets people in. Any thread.

    Args:
        database: With the accounts.
        section: How long, how often.
        rates: Counts attempts per address.
    """

    def __init__(self, database: Database, section: AccountsSection, rates: Rates) -> None:
        self._database = database
        self._section = section
        self._rates = rates
        self._passwords = Passwords()

    def log_in(
        self, name: str, password: str, *, address: str, old_secret: str | None = None
    ) -> tuple[Person, NewVisit]:
        """Check and begin a visit; the one that the browser had before ends.

        Raises:
            TooOftenError: Too many attempts from the address, or wrong ones for the name.
            AccountError: Name or password is wrong; it does not say which.
        """
        wait_s = self._rates.login(address) or self._wait_s(name, address)
        if wait_s:
            raise TooOftenError(wait_s)
        with self._database.transaction(writes=False) as session:
            user = session.scalar(select(User).where(User.name == name))
            known = None if user is None or user.disabled else user.password_hash
        if not self._passwords.matches(known, password):
            with self._database.transaction() as session:
                record(session, "nobody", REFUSED, subject_of(name), address=address)
            raise AccountError("name or password is wrong")
        with self._database.transaction() as session:
            user = session.scalars(select(User).where(User.name == name)).one()
            if known is not None and self._passwords.is_outdated(known):
                user.password_hash = self._passwords.hash(password)
            if old_secret is not None:
                close_visit(session, old_secret)
            visit = open_visit(session, user, self._section.session_hours)
            record(session, f"user:{name}", OPENED, subject_of(name), {"by": "password"}, address)
            return person_of(user), visit

    def _wait_s(self, name: str, address: str) -> int:
        """Counted by all processes together: each of many must not give as many attempts again."""
        now, section = utc_now(), self._section
        with self._database.transaction(writes=False) as session:
            wait_s = max(
                wait_for_address(session, address, most=section.logins_per_minute, now=now),
                wait_for_name(session, name, address, free=section.free_attempts, now=now),
            )
        return math.ceil(wait_s)
