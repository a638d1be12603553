"""Reading the files of a bundle."""

import hashlib
import os
import stat
from pathlib import Path

from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import MANIFEST_NAME, MAX_FILE_BYTES, FileEntry


def read_plain(path: Path, limit: int) -> bytes:
    """The bytes of a file that is neither a link nor anything but a file.

    Raises:
        BundleError: It is, or is larger than `limit` bytes.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: is not a plain file; copy the bundle again")
        if status.st_size > limit:
            raise BundleError(f"{path}: {status.st_size} bytes; at most {limit} are read")
        return file.read(limit + 1)


def read_verified(root: Path, entry: FileEntry) -> bytes:
    """The bytes of a file of a bundle, as its manifest has it.

    Args:
        root: The bundle's directory, without symbolic links.
        entry: What the manifest says of the file.

    Raises:
        BundleError: It cannot be read, is no plain file, lies elsewhere, or has other bytes.
    """
    path = root / entry.path
    try:
        if path.parent.resolve() / path.name != path:
            raise BundleError(f"{path}: lies outside the bundle by a symbolic link; a bundle holds plain files only")
        content = read_plain(path, MAX_FILE_BYTES)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; copy the bundle again") from error
    if len(content) != entry.size:
        raise BundleError(f"{path}: {len(content)} bytes, {MANIFEST_NAME} says {entry.size}; copy the bundle again")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(f"{path}: its SHA-256 is not the one in {MANIFEST_NAME}; copy the bundle again")
    return content
