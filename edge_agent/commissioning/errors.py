"""The package's exception."""


class ListenError(RuntimeError):
    """The machine's channel cannot be listened to; the message names the thing and the mend."""
