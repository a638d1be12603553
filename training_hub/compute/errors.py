"""The package's exception."""


class ComputeError(Exception):
    """Work cannot be spread or was lost; the message names the thing and the mend."""
