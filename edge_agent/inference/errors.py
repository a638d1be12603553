"""The package's one exception."""


class BundleError(Exception):
    """A bundle, or a model in it, cannot be used; the message names the file, the value and the mend."""
