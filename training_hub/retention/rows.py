"""Old jobs, entries of the audit log and clips, a batch at a time."""

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.removal import delete_clips
from training_hub.catalogue.tables import AuditEntry, Clip, Job, Run
from training_hub.jobs.ledger import UNFINISHED


def remove_jobs(session: Session, *, before: datetime, most: int) -> int:
    """Forget jobs that ended before a moment and that no training names; how many."""
    wanted = (
        select(Job.id)
        .where(
            Job.created_at < before,
            Job.finished_at < before,
            Job.state.not_in(UNFINISHED),
            ~exists().where(Run.job_id == Job.id),
        )
        .limit(most)
    )
    ids = list(session.scalars(wanted))
    session.execute(delete(Job).where(Job.id.in_(ids)))
    return len(ids)


def remove_audit(session: Session, *, before: datetime, most: int) -> int:
    """Forget entries of the audit log that were written before a moment; how many."""
    ids = list(session.scalars(select(AuditEntry.id).where(AuditEntry.at < before).order_by(AuditEntry.at).limit(most)))
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_(ids)))
    return len(ids)


def delete_new_clips(session: Session, deed: Deed, *, before: datetime, most: int) -> int:
    """Delete gateways' clips that came before a moment, were never labelled and belong to no alarm; how many."""
    wanted = (
        select(Clip.id)
        .where(
            Clip.deleted_at.is_(None),
            Clip.dataset == "new",
            Clip.origin == "gateway",
            Clip.labelled_at.is_(None),
            Clip.alarm.is_(None),
            Clip.received_at < before,
        )
        .order_by(Clip.id)
        .limit(most)
        .with_for_update(skip_locked=True)  # a person may be at it
    )
    return len(delete_clips(session, list(session.scalars(wanted)), deed))
