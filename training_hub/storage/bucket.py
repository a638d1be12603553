"""A bucket of S3 as an object store."""

from collections.abc import Iterator
from pathlib import Path

from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import S3Store


class Bucket:
    """Objects in S3, created only where there is none of the name.

    Args:
        name: Of the bucket.
        prefix: Of every key.
        options: `endpoint`, `region`, `access_key_id`, `secret_access_key`, `allow_http`, ...
    """

    def __init__(self, name: str, prefix: str, options: dict[str, str]) -> None:
        self._store = S3Store(name, prefix=prefix or None, config=options)  # type: ignore[arg-type]  # checked by obstore

    def put_file(self, key: str, source: Path) -> bool:
        """Make an object of a file; whether it is new."""
        return self.put(key, source.read_bytes())

    def put(self, key: str, content: bytes) -> bool:
        """Make an object of bytes; whether it is new."""
        try:
            self._store.put(key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, key: str) -> bytes:
        """An object's content."""
        return bytes(self._store.get(key).bytes())

    def has(self, key: str) -> bool:
        """Whether it is there."""
        try:
            self._store.head(key)
        except (NotFoundError, FileNotFoundError):
            return False
        return True

    def check(self) -> None:
        """Ask for what is not there: the answer is one."""
        self.has("nothing")

    def delete(self, key: str) -> None:
        """Remove it."""
        self._store.delete(key)

    def keys(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Every object below a prefix, with the time it was put, seconds since 1970."""
        for page in self._store.list(prefix):
            for entry in page:
                yield entry["path"], entry["last_modified"].timestamp()
