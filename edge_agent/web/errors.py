"""What can go wrong on the page."""


class WebError(Exception):
    """A request cannot be answered; `status` is what HTTP says, the message is for a person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
