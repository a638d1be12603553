"""The package's exception."""

from enum import IntEnum

from training_hub.errors import HubError


class Refused(IntEnum):
    """Why, as HTTP says it."""

    FORBIDDEN = 403
    """Another gateway's."""
    CONFLICT = 409
    """Its file is not there, or the id is another clip's."""
    TOO_LARGE = 413
    WRONG_TYPE = 415
    """The content is no clip."""
    INVALID = 422
    """What is said of it is not so."""


class IntakeError(HubError):
    """What a gateway sent is refused, and nothing of it kept.

    Attributes:
        why: The kind of refusal.
    """

    def __init__(self, why: Refused, message: str) -> None:
        super().__init__(message)
        self.why = why
