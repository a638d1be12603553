"""Files that are whole or not there, also after a power cut."""

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
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Have the disk know what was made, renamed and removed in a directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
