"""Which bundle the gateways are meant to run."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Bundle, Rollout, Run

_REACHED_ALL = ("all", "done")


def model_in_use(session: Session) -> Bundle | None:
    """The bundle whose rollout reached all gateways last; else the one approved last; None: the shipped one."""
    rolled_out = session.scalar(
        select(Bundle)
        .join(Rollout, Rollout.bundle_id == Bundle.id)
        .where(Rollout.stage.in_(_REACHED_ALL), Bundle.state == "approved")
        .order_by(Rollout.changed_at.desc(), Rollout.id.desc())
        .limit(1)
    )
    if rolled_out is not None:
        return rolled_out
    return session.scalar(
        select(Bundle).where(Bundle.state == "approved").order_by(Bundle.created_at.desc(), Bundle.id.desc()).limit(1)
    )


def taught_until(session: Session) -> datetime | None:
    """When the training of the model in use began: what came later it has not heard; None: the shipped model's."""
    model = model_in_use(session)
    if model is None:
        return None
    run = None if model.run_id is None else session.get(Run, model.run_id)
    return model.created_at if run is None else run.created_at
