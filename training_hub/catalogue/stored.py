"""Files come into the object store with their row, whoever brings them."""

import hashlib

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session

from training_hub.catalogue.tables import StoredObject
from training_hub.storage.objects import ObjectStore


def store_object(
    session: Session, objects: ObjectStore, content: bytes, media_type: str, *, sha256: str | None = None
) -> str:
    """Store an object and its row; on PostgreSQL the row is locked, so that purging waits, or has ended before.

    Args:
        session: A writing transaction; where it fails the object may stay, without a row.
        objects: The store.
        content: The file.
        media_type: What it is.
        sha256: Of the content, where the caller knows it.

    Returns:
        Its SHA-256.

    Raises:
        StorageError: The store refused it.
    """
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    locked = select(StoredObject).where(StoredObject.sha256 == sha256).with_for_update()
    if session.scalar(locked) is None:
        row = StoredObject(sha256=sha256, size_bytes=len(content), media_type=media_type)
        if not add_once(session, row):
            session.scalar(locked)
    objects.put(sha256, content)
    return sha256


def add_once(session: Session, row: DeclarativeBase) -> bool:
    """Insert a row that another may be inserting too; whether it is ours."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True
