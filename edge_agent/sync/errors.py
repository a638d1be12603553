"""What can go wrong between a gateway and its hub."""

from enum import StrEnum


class Trouble(StrEnum):
    """Why the hub did not do what it was asked; a bounded set, for it labels metrics."""

    AWAY = "away"
    """It cannot be reached, hangs, or failed within itself: tried again."""
    BUSY = "busy"
    """It asks to wait (429, 503)."""
    DENIED = "denied"
    """It does not know the gateway's key, or the gateway may not do this (401, 403)."""
    UNTRUSTED = "untrusted"
    """Its certificate is not to be trusted."""
    MISUNDERSTOOD = "misunderstood"
    """It answers, and not as a hub of this version does."""


class SyncError(Exception):
    """Something of the gateway's own stands in the way: a key, a file, a stick. The message names the mend."""


class HubError(SyncError):
    """The hub did not do what it was asked; nothing was lost, it is asked again.

    Args:
        trouble: Why, in a word.
        message: Why, in a sentence, with the mend.
        retry_after_s: How long the hub asks to wait; None where it does not say.
    """

    def __init__(self, trouble: Trouble, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry_after_s = retry_after_s


class ItemRefusedError(SyncError):
    """The hub has looked at one clip or batch and does not want it; sending it again is of no use.

    Args:
        status: Its status, 4xx.
        message: What it said.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StoppedError(Exception):
    """The agent ends while something was under way; it goes on at the next start."""
