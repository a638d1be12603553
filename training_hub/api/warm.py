"""What a process makes once, made before it is asked: the first list of clips took ten times as long as any other."""

import logging

from sqlalchemy.exc import SQLAlchemyError

from training_hub.api.views.clips import ClipView
from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.clip_listing import count_clips, list_clips
from training_hub.catalogue.tables import Clip, Gateway, Machine
from training_hub.catalogue.types import utc_now
from training_hub.parts import HubParts

_log = logging.getLogger(__name__)


def warm_up(parts: HubParts) -> None:
    """Ask for the newest clips as a person would, and forget them; a database that does not answer yet is no matter."""
    try:
        with parts.database.transaction(writes=False) as session:
            list_clips(session, ClipFilter())
            count_clips(session, ClipFilter())
    except SQLAlchemyError as error:
        _log.info("the first question will take longer than others: %s", error)
    ClipView.of(_drawn()).model_dump_json()


def _drawn() -> Clip:
    """None that is there: an empty catalogue warms as well as a full one."""
    now, machine = utc_now(), Machine(site="site", name="machine", type="type")
    return Clip(
        id="0" * 26, sha256="0" * 64, machine=machine, gateway=Gateway(site="site", name="gateway"), origin="gateway",
        dataset="new", original=False, kind="audio", recording="recording", heard_at=now, received_at=now,
        duration_s=1.0, window_offset_s=0.0, window_s=1.0, reason="random", may_train=True,
    )  # fmt: skip
