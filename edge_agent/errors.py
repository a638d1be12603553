"""What a command itself may find wrong."""


class CommandError(Exception):
    """A command cannot do what it was asked; the message names the thing and the mend."""
