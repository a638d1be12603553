"""Files of clips: to a scratch file as they come, checked whole, then into the store with a row."""

from pathlib import Path

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Clip, StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.intake.clip_file import media_type_of
from training_hub.intake.insert import insert_new
from training_hub.parts import HubParts


def store_file(parts: HubParts, sha256: str, path: Path, size_bytes: int) -> bool:
    """Make a received file an object; when this returns it is on the disk, and so is its row.

    Args:
        parts: The hub's.
        sha256: Its hash, computed as it came.
        path: The scratch file, the caller's to remove.
        size_bytes: Its size.

    Returns:
        Whether it is new.

    Raises:
        IntakeError: It is no clip; nothing was stored.
        StorageError: The store refused it.
    """
    values = {
        "sha256": sha256,
        "size_bytes": size_bytes,
        "media_type": media_type_of(path),
        "stored_at": utc_now(),
    }
    parts.objects.put_file(sha256, path)

    def write(session: Session) -> bool:
        is_new = bool(insert_new(session, StoredObject, [values], "sha256"))
        if not is_new:
            row = session.scalars(select(StoredObject).where(StoredObject.sha256 == sha256).with_for_update()).one()
            if not _has_record(session, sha256):
                row.stored_at = utc_now()  # whoever sends it again will send its record: it is no orphan yet
        # Whoever removes an object holds its row until it is gone: where that was since it was put, it is put again.
        if not parts.objects.has(sha256):
            parts.objects.put_file(sha256, path)
        return is_new

    return parts.writes.run(write)


def _has_record(session: Session, sha256: str) -> bool:
    return bool(session.scalar(select(exists().where(Clip.sha256 == sha256))))


def missing(session: Session, hashes: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these files the hub has not got, in the order asked."""
    known = set(session.scalars(select(StoredObject.sha256).where(StoredObject.sha256.in_(hashes))))
    return tuple(sha256 for sha256 in hashes if sha256 not in known)
