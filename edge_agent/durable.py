"""Files that are whole or not there, also after a power cut."""

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int = 0o640) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part.

    Args:
        path: The file; its directory exists.
        content: All of it.
        mode: Its rights, less the process's umask.

    Raises:
        OSError: It cannot be written; the old one stands.
    """
    write_one_of_many(path, content, mode=mode)
    sync_directory(path.parent)


def write_one_of_many(path: Path, content: bytes, *, mode: int = 0o640) -> None:
    """The same, but that it may be gone after a power cut until `sync_directory` was called: once for many files.

    Raises:
        OSError: It cannot be written; the old one stands.
    """
    temporary = temporary_of(path)
    try:
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            own_as(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):  # half a file takes room that a full disk has not got
            temporary.unlink()
        raise


def own_as(descriptor: int, directory: Path) -> None:
    """Give a file that root makes to whom its directory belongs.

    A command that root runs beside the service must not leave files there that the service cannot read.
    """
    if os.geteuid() == 0:
        owner = directory.stat()
        with contextlib.suppress(PermissionError):  # root of a container, who may give nothing away
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def temporary_of(path: Path) -> Path:
    """What a file is called until it is whole."""
    return path.with_name(f".{path.name}.new")


def is_temporary(name: str) -> bool:
    """Whether a crash left a file of this name behind: it can be removed once nobody writes there."""
    return name.startswith(".") and name.endswith(".new")


def sync_directory(directory: Path) -> None:
    """Have the disk know what was made, renamed and removed in a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
