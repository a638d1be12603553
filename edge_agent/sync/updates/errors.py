"""The package's exception."""


class UpdateError(Exception):
    """A bundle cannot be taken over; the message names it and says why. What is in use stays in use."""
