"""Clips go in two steps: deleted ones can be restored, purged ones cannot."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.labelling import Deed, clips_by_id
from training_hub.catalogue.tables import Clip, StoredObject
from training_hub.storage.objects import ObjectStore


def delete_clips(session: Session, ids: Sequence[str], deed: Deed) -> list[Clip]:
    """Take clips out of lists, training and counts.

    Raises:
        CatalogueError: One is not there, or deleted already; nothing was changed.
    """
    clips = clips_by_id(session, ids)
    for clip in clips:
        clip.deleted_at = deed.at
        deed.record(session, "clip.delete", f"clip:{clip.id}", {"dataset": clip.dataset})
    return clips


def restore_clips(session: Session, ids: Sequence[str], deed: Deed) -> list[Clip]:
    """Put deleted clips back where they were.

    Raises:
        CatalogueError: One is not there, or not deleted; nothing was changed.
    """
    clips = clips_by_id(session, ids, deleted=True)
    for clip in clips:
        clip.deleted_at = None
        deed.record(session, "clip.restore", f"clip:{clip.id}", {"dataset": clip.dataset})
    return clips


def purge_clips(
    session: Session, objects: ObjectStore, deed: Deed, *, deleted_before: datetime, most: int = 500
) -> int:
    """Forget clips that were deleted before a moment, for ever: rows, labels, and objects that no row names any more.

    Objects go before the transaction ends: until then their rows are locked, and who brings the same content again
    waits and stores it anew. Where the transaction fails the clips are deleted still, and can be purged again.

    Args:
        session: A writing transaction.
        objects: The store.
        deed: By whom.
        deleted_before: When they must have been deleted.
        most: Of how many at once.

    Returns:
        How many were purged; as many as `most`: there may be more.

    Raises:
        StorageError: The store refused to remove one; nothing was purged.
    """
    clips = session.execute(
        select(Clip.id, Clip.sha256)
        .where(Clip.deleted_at.is_not(None), Clip.deleted_at < deleted_before)
        .order_by(Clip.deleted_at, Clip.id)
        .limit(most)
        .with_for_update(of=Clip)
    ).all()
    for id_, sha256 in clips:
        deed.record(session, "clip.purge", f"clip:{id_}", {"sha256": sha256})
    session.flush()
    session.execute(delete(Clip).where(Clip.id.in_([id_ for id_, _ in clips])))
    for sha256 in dict.fromkeys(sha256 for _, sha256 in clips):
        if not session.scalar(select(func.count()).select_from(Clip).where(Clip.sha256 == sha256)):
            session.execute(delete(StoredObject).where(StoredObject.sha256 == sha256))
            objects.delete(sha256)
    return len(clips)
