"""The package's exception."""

from training_hub.errors import HubError


class RetrainError(HubError):
    """A retraining or comparison cannot be done; the message names the thing and the mend."""
