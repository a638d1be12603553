"""The package's exception."""

from training_hub.errors import HubError


class JobError(HubError):
    """Jobs cannot be queued, told of or run; the message names the thing and the mend."""
