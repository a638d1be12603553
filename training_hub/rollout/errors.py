"""The package's exceptions."""

from training_hub.errors import HubError


class RolloutError(HubError):
    """What was asked cannot be done; the message says why and the mend."""


class UntrustedError(RolloutError):
    """Signed metadata that is refused: wrong key, version, time or content."""


class MissingError(RolloutError):
    """There is no such thing."""
