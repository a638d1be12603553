"""The package's exception."""

from training_hub.errors import HubError


class CatalogueError(HubError):
    """The catalogue cannot do what was asked; the message names the thing and the mend."""
