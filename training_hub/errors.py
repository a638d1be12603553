"""The base of the hub's exceptions."""


class HubError(Exception):
    """The hub cannot do what was asked; the message names the thing and the mend."""
