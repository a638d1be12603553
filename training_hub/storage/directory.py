"""A directory as an object store: what `put` returned from survives a power cut; nothing partial is ever seen."""

import contextlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from edge_agent.durable import sync_directory

_STALE_S = 3600.0
_INCOMING = "incoming"
_SHELVES = tuple(f"{number:02x}" for number in range(256))


class ObjectDirectory:
    """Objects as files under one directory; each is linked into place when it is whole and on the disk.

    Args:
        root: The directory; made where it is missing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.incoming = root / _INCOMING
        """Where files grow before they are objects: on the same file system, so that a link puts them in place."""
        self.incoming.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._making = threading.Lock()
        self._shelved: set[Path] = set()

    def put_file(self, key: str, source: Path) -> bool:
        """Make an object of a file, which stays the caller's to remove.

        Returns:
            Whether it is new.
        """
        target = self._root / key
        if target.exists():
            return False
        _sync_file(source)
        if target.parent.parent not in self._shelved or not target.parent.is_dir():
            self._make_shelves(target.parent)
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        except OSError:  # another file system, or one without hard links
            return self._put_copy(target, source)
        sync_directory(target.parent)
        return True

    def put(self, key: str, content: bytes) -> bool:
        """Make an object of bytes.

        Returns:
            Whether it is new.
        """
        if (self._root / key).exists():
            return False
        with self.scratch() as path:
            path.write_bytes(content)
            return self.put_file(key, path)

    def get(self, key: str) -> bytes:
        """An object's content."""
        return (self._root / key).read_bytes()

    def has(self, key: str) -> bool:
        """Whether it is there."""
        return (self._root / key).is_file()

    def delete(self, key: str) -> None:
        """Remove it; FileNotFoundError where it is not there."""
        path = self._root / key
        path.unlink()
        sync_directory(path.parent)

    def keys(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Every object below a prefix, with the time it was put, seconds since 1970."""
        for directory, _, names in os.walk(self._root / prefix):
            for name in names:
                path = Path(directory) / name
                with contextlib.suppress(FileNotFoundError):
                    yield path.relative_to(self._root).as_posix(), path.stat().st_mtime

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """The name of a file to fill; gone at the end of the block."""
        path = self.incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Whether the directory is there: one that is not mounted must not be filled in its place.

        Raises:
            OSError: It is not.
        """
        if not os.access(self.incoming, os.W_OK | os.X_OK):
            raise OSError(f"{self._root} is not there, or not the hub's to write to; mount it")

    def sweep(self, *, now_s: float | None = None) -> int:
        """Remove what a killed process left unfinished; returns how many files."""
        removed = 0
        for path in self.incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < (time.time() if now_s is None else now_s) - _STALE_S:
                    path.unlink()
                    removed += 1
        return removed

    def _put_copy(self, target: Path, source: Path) -> bool:
        part = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        try:
            shutil.copyfile(source, part)
            _sync_file(part)
            part.rename(target)  # the same content: it does not matter whose stays
        finally:
            part.unlink(missing_ok=True)
        sync_directory(target.parent)
        return True

    def _make_shelves(self, directory: Path) -> None:
        """A directory with its 255 siblings: alone, each would cost an upload a wait for the disk."""
        parent = directory.parent
        with self._making:
            if parent in self._shelved and directory.is_dir():
                return
            self._make_directory(parent)
            for name in sorted({directory.name, *_SHELVES}):
                (parent / name).mkdir(exist_ok=True, mode=0o750)
            sync_directory(parent)
            self._shelved.add(parent)

    def _make_directory(self, directory: Path) -> None:
        if directory.is_dir():
            return
        if directory == self._root:
            self.check()
        self._make_directory(directory.parent)
        directory.mkdir(exist_ok=True, mode=0o750)
        sync_directory(directory.parent)


def _sync_file(path: Path) -> None:
    """Have a file's content on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
