"""The one exception of the package, and why things fail."""

from __future__ import annotations

from enum import StrEnum


class Failure(StrEnum):
    """Why the outbox or the broker refused; a bounded set, for it labels a metric."""

    FULL = "full"
    """The outbox is at its cap and holds nothing that may be dropped."""
    DISK_FULL = "disk_full"
    """The file system has no room."""
    IO = "io"
    """The disk failed to read, write or open."""
    CORRUPT = "corrupt"
    """The file is damaged, and beginning a new one failed too."""
    IN_USE = "in_use"
    """Another process holds the file."""
    TOO_LARGE = "too_large"
    """One event is larger than the outbox or the broker takes."""
    CLOSED = "closed"
    """The outbox was closed."""
    INVALID = "invalid"
    """A name, a setting or a payload breaks its contract."""
    CONNECT = "connect"
    """The broker cannot be reached, or ended the connection."""
    TLS = "tls"
    """The broker's certificate cannot be trusted, or the gateway's is not by the broker."""
    REFUSED = "refused"
    """The broker answered, and said no."""
    TAKEN_OVER = "taken_over"
    """Another client connected with the gateway's client id, and the broker ended the gateway's connection for it."""
    TIMEOUT = "timeout"
    """The broker did not answer in time."""


class DeliveryError(Exception):
    """An event cannot be made, kept or sent; the message names it, what is wrong and the mend.

    Attributes:
        failure: The reason, to count by.
    """

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure
