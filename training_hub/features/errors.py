"""The package's exception."""


class FeatureError(Exception):
    """Features cannot be made, kept or read; the message names the clip or file and the mend."""
