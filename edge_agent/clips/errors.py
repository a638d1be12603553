"""What can go wrong with kept sound."""

import errno
from enum import StrEnum


class Failure(StrEnum):
    """Why the disk did not do what it was asked."""

    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    IO_ERROR = "io_error"


class ClipError(Exception):
    """A clip cannot be kept, found or changed; the message names it and the mend.

    Args:
        message: What, and the mend.
        failure: What the disk did, where it was the disk.
    """

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


_FAILURES = {
    errno.ENOSPC: Failure.DISK_FULL,
    errno.EDQUOT: Failure.DISK_FULL,
    errno.EFBIG: Failure.DISK_FULL,
    errno.EROFS: Failure.READ_ONLY,
    errno.EACCES: Failure.READ_ONLY,
    errno.EPERM: Failure.READ_ONLY,
}


def failure_of(error: OSError) -> Failure:
    """What an error of the file system means; whatever is not known is taken for a failing disk.

    >>> failure_of(OSError(errno.ENOSPC, "no space")).value
    'disk_full'
    """
    return _FAILURES.get(error.errno or 0, Failure.IO_ERROR)
