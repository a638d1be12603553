"""Files by their SHA-256, in a directory or in S3: written once, never changed, checked when read."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import LocalStore, S3Store

from training_hub.storage.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ObjectStore:
    """A store of immutable objects under `objects/ab/cd/<sha256>`. Any thread; several processes.

    Args:
        url: `file:///var/lib/training-hub/objects` or `s3://bucket/prefix`.
        options: For S3: `endpoint`, `region`, `access_key_id`, `secret_access_key`, `allow_http`, ...

    Raises:
        StorageError: No URL of a store that the hub can use.
    """

    def __init__(self, url: str, options: dict[str, str] | None = None) -> None:
        self._store = open_store(url, options)

    def put(self, sha256: str, content: bytes) -> bool:
        """Store content by its hash; whole or not at all.

        Returns:
            Whether it is new.

        Raises:
            StorageError: The hash is another one, or the store refused it.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StorageError(f"content is not {sha256}; nothing was stored")
        try:
            self._store.put(_key(sha256), content, mode="create")
        except AlreadyExistsError:
            return False
        except ObstoreError as error:
            raise StorageError(f"object {sha256} cannot be stored: {error}") from error
        return True

    def get(self, sha256: str) -> bytes:
        """An object's content, checked: a store is never trusted for integrity.

        Raises:
            StorageError: It is not there, not what it was, or cannot be read.
        """
        try:
            content = bytes(self._store.get(_key(sha256)).bytes())
        except (NotFoundError, FileNotFoundError) as error:
            raise StorageError(f"there is no object {sha256}") from error
        except ObstoreError as error:
            raise StorageError(f"object {sha256} cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StorageError(f"object {sha256} is damaged: its content has another hash; restore it from a backup")
        return content

    def has(self, sha256: str) -> bool:
        """Whether it is there.

        Raises:
            StorageError: The store cannot be asked.
        """
        try:
            self._store.head(_key(sha256))
        except (NotFoundError, FileNotFoundError):
            return False
        except ObstoreError as error:
            raise StorageError(f"object {sha256} cannot be looked up: {error}") from error
        return True

    def delete(self, sha256: str) -> None:
        """Remove an object; one that is gone already is no error.

        Raises:
            StorageError: The store refused it.
        """
        try:
            self._store.delete(_key(sha256))
        except (NotFoundError, FileNotFoundError):
            return
        except ObstoreError as error:
            raise StorageError(f"object {sha256} cannot be removed: {error}") from error


def open_store(url: str, options: dict[str, str] | None = None) -> "Store":
    """A directory, made where it is not there, or a bucket; `url` and `options` as of `ObjectStore`.

    Raises:
        StorageError: No URL of a store that the hub can use.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        Path(parts.path).mkdir(parents=True, exist_ok=True, mode=0o750)
        return LocalStore(parts.path)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, prefix=parts.path.strip("/") or None, config=options or {})  # type: ignore[arg-type]  # checked by obstore
    raise StorageError(f"{url!r} is no store; use file:///directory or s3://bucket/prefix")


def _key(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise StorageError(f"{sha256!r} is no SHA-256 in hex")
    return f"objects/{sha256[:2]}/{sha256[2:4]}/{sha256}"
