"""Passwords: argon2id, as slow for a name that does not exist as for one that does."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from training_hub.accounts.errors import AccountError

MIN_LETTERS = 10
MAX_LETTERS = 256
_TIME, _MEMORY_KIB, _LANES = 1, 47_104, 1
"""OWASP's Password Storage Cheat Sheet, argon2id, the one that costs a guesser the most memory."""
_AT_ONCE = 2
"""Each takes 46 MiB and a core: more at once would be a way to stop the hub."""
_NOBODYS = "$argon2id$v=19$m=47104,t=1,p=1$gMGAcJSOxixnjT0S7qeseQ$zlUNcYZtGSQHpRX0dty2KonYsUwCRNTXW+vbcB13zlo"
"""Of random letters that were thrown away: what an unknown name's password is checked against."""


class Passwords:
    """Hashes and checks passwords. Any thread."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_TIME, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._turn = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """The hash to keep.

        Raises:
            AccountError: Too short or too long.
        """
        if not MIN_LETTERS <= len(password) <= MAX_LETTERS:
            raise AccountError(f"a password has {MIN_LETTERS} to {MAX_LETTERS} letters, not {len(password)}")
        with self._turn:
            return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; with None, for a name that has none, it takes as long and is never."""
        if len(password) > MAX_LETTERS:
            return False
        try:
            with self._turn:
                self._hasher.verify(password_hash or _NOBODYS, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with weaker settings than today's."""
        return self._hasher.check_needs_rehash(password_hash)
