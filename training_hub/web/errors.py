"""The one error of the pages."""


class WebError(Exception):
    """Something asked of a page cannot be done; the message is for the person who asked.

    Args:
        message: In words.
        missing: Whether what was asked for is not there.
    """

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing
