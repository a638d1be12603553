"""The package's exception."""

from training_hub.errors import HubError


class CatalogueError(HubError):
    """The catalogue cannot do what was asked; the message names the thing and the mend."""


class NotThereError(CatalogueError):
    """What was named is not in the catalogue."""


class StateError(CatalogueError):
    """What was named is there, but in no state for what was asked."""
