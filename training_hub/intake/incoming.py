"""A file on its way in: hashed and written as it comes, some hundred kilobytes at a time."""

import hashlib
from pathlib import Path

from edge_agent.sync.wire import MAX_CLIP_BYTES
from training_hub.intake.errors import IntakeError, Refused
from training_hub.storage.errors import StorageError

HELD_BYTES = 512 << 10
"""Held in memory before they are written: a clip is written at once, by the thread that stores it."""


class Incoming:
    """A scratch file that grows. For one request.

    Args:
        path: Of the scratch file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._hash = hashlib.sha256()
        self._held: list[bytes] = []
        self._held_bytes = 0

    def add(self, chunk: bytes) -> bool:
        """Take what came; whether enough is held for `write`.

        Raises:
            IntakeError: More than a clip's file has.
        """
        self.size_bytes += len(chunk)
        if self.size_bytes > MAX_CLIP_BYTES:
            raise IntakeError(Refused.TOO_LARGE, f"a clip's file has at most {MAX_CLIP_BYTES} bytes")
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        return self._held_bytes >= HELD_BYTES

    def write(self) -> None:
        """Hash and write what is held; takes long.

        Raises:
            StorageError: The disk takes no more.
        """
        content = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._hash.update(content)
        try:
            with self.path.open("ab", buffering=0) as file:
                left = memoryview(content)
                while left:
                    left = left[file.write(left) :]
        except OSError as error:
            raise StorageError(f"the hub's disk takes no more: {error.strerror}") from error

    def check(self, sha256: str) -> None:
        """Whether all that was written is what it should be.

        Raises:
            IntakeError: It has another hash.
        """
        if self._hash.hexdigest() != sha256:
            raise IntakeError(Refused.INVALID, f"the content is {self._hash.hexdigest()}, not {sha256}; send it again")
