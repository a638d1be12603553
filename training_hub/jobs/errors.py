"""The package's exception."""


class JobError(Exception):
    """Jobs cannot be queued, told of or run; the message names the thing and the mend."""
