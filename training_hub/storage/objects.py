"""Files by their SHA-256, in a directory or in S3: written once, never changed, checked when read."""

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError as ObstoreError
from obstore.exceptions import NotFoundError
from obstore.store import LocalStore, S3Store

from training_hub.storage.bucket import Bucket
from training_hub.storage.directory import ObjectDirectory
from training_hub.storage.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFIX = "objects"


class ObjectStore:
    """A store of immutable objects under `objects/ab/<sha256>`. Any thread; several processes.

    Args:
        url: `file:///var/lib/training-hub/objects` or `s3://bucket/prefix`.
        options: For S3: `endpoint`, `region`, `access_key_id`, `secret_access_key`, `allow_http`, ...

    Raises:
        StorageError: No URL of a store that the hub can use.
    """

    def __init__(self, url: str, options: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._back: ObjectDirectory | Bucket
        if parts.scheme == "file" and parts.path and not parts.netloc:
            try:
                self._back = ObjectDirectory(Path(unquote(parts.path)))
            except OSError as error:
                raise StorageError(f"{url}: the directory cannot be made: {error.strerror}") from error
        elif parts.scheme == "s3" and parts.netloc:
            self._back = Bucket(parts.netloc, parts.path.strip("/"), options or {})
        else:
            raise StorageError(f"{url!r} is no store; use file:///directory or s3://bucket/prefix")

    def put(self, sha256: str, content: bytes) -> bool:
        """Store content by its hash; whole or not at all.

        Returns:
            Whether it is new.

        Raises:
            StorageError: The hash is another one, or the store refused it.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StorageError(f"content is not {sha256}; nothing was stored")
        with _explained(f"object {sha256} cannot be stored"):
            return self._back.put(_key(sha256), content)

    def put_file(self, sha256: str, path: Path) -> bool:
        """Store a file whose hash was computed as it was written; the file stays the caller's to remove.

        Returns:
            Whether it is new.

        Raises:
            StorageError: The store refused it.
        """
        with _explained(f"object {sha256} cannot be stored"):
            return self._back.put_file(_key(sha256), path)

    def get(self, sha256: str) -> bytes:
        """An object's content, checked: a store is never trusted for integrity.

        Raises:
            StorageError: It is not there, not what it was, or cannot be read.
        """
        try:
            with _explained(f"object {sha256} cannot be read"):
                content = self._back.get(_key(sha256))
        except (NotFoundError, FileNotFoundError) as error:
            raise StorageError(f"there is no object {sha256}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StorageError(f"object {sha256} is damaged: its content has another hash; restore it from a backup")
        return content

    def has(self, sha256: str) -> bool:
        """Whether it is there.

        Raises:
            StorageError: The store cannot be asked.
        """
        with _explained(f"object {sha256} cannot be looked up"):
            return self._back.has(_key(sha256))

    def delete(self, sha256: str) -> None:
        """Remove an object; one that is gone already is no error.

        Raises:
            StorageError: The store refused it.
        """
        with contextlib.suppress(NotFoundError, FileNotFoundError), _explained(f"object {sha256} cannot be removed"):
            self._back.delete(_key(sha256))

    def stored(self) -> Iterator[tuple[str, float]]:
        """Every object, with the time it was stored, seconds since 1970. Slow: it walks the store.

        Raises:
            StorageError: The store cannot be listed.
        """
        with _explained("the store cannot be listed"):
            for key, at_s in self._back.keys(_PREFIX):
                if _SHA256.fullmatch(name := key.rpartition("/")[2]):
                    yield name, at_s

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """The name of a file to fill and hand to `put_file`; gone at the end of the block.

        Raises:
            StorageError: The store cannot be used.
        """
        if isinstance(self._back, ObjectDirectory):
            self.check()
            with self._back.scratch() as path:
                yield path
        else:
            with tempfile.TemporaryDirectory(prefix="training-hub-") as directory:
                yield Path(directory) / "object"

    def check(self) -> None:
        """Whether the store answers.

        Raises:
            StorageError: It does not.
        """
        with _explained("the object store cannot be used"):
            self._back.check()

    def sweep(self) -> int:
        """Remove what a killed process left unfinished for an hour; returns how many files."""
        return self._back.sweep() if isinstance(self._back, ObjectDirectory) else 0


def open_store(url: str, options: dict[str, str] | None = None) -> "Store":
    """A directory, made where it is not there, or a bucket, for files that are not named by their content.

    Args:
        url: As of `ObjectStore`.
        options: As of `ObjectStore`.

    Raises:
        StorageError: No URL of a store that the hub can use.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        directory = Path(unquote(parts.path))
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        return LocalStore(directory)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, prefix=parts.path.strip("/") or None, config=options or {})  # type: ignore[arg-type]  # checked by obstore
    raise StorageError(f"{url!r} is no store; use file:///directory or s3://bucket/prefix")


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """The package's error for those of the backends; that nothing is there passes through."""
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise
    except (ObstoreError, OSError) as error:
        raise StorageError(f"{what}: {error}") from error


def _key(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise StorageError(f"{sha256!r} is no SHA-256 in hex")
    return f"{_PREFIX}/{sha256[:2]}/{sha256}"
