"""The package's exception."""

from training_hub.errors import HubError


class StorageError(HubError):
    """The object store cannot do what was asked; the message names the object and the mend."""
