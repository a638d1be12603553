"""The package's exception."""

from enum import StrEnum

from training_hub.errors import HubError


class Refusal(StrEnum):
    """Why a sound is not taken."""

    TOO_LARGE = "too_large"
    FORMAT = "format"
    DAMAGED = "damaged"
    LIMITS = "limits"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class SoundError(HubError):
    """A sound cannot be used; the message names the thing and the mend.

    Args:
        refusal: What kind of reason.
        message: In words.
    """

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
