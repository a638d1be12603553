"""The package's exception."""


class UpdateError(Exception):
    """A bundle cannot be taken over; the message names it and says why. What is in use stays in use.

    Args:
        message: What, and why.
        lasting: Whether trying again is of no use; a hub that cannot be reached or believed may be mended.
    """

    def __init__(self, message: str, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.lasting = lasting
