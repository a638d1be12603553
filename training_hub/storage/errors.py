"""The package's exception."""


class StorageError(Exception):
    """The object store cannot do what was asked; the message names the object and the mend."""
