"""The package's exception."""


class CatalogueError(Exception):
    """The catalogue cannot do what was asked; the message names the thing and the mend."""
