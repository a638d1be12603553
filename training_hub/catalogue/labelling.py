"""What a person says a clip is, and the dataset it belongs to for that.

The rule: a label `normal` puts a clip into `training`, any other into `validation`. What is `external` stays apart,
whatever its label. A clip whose label is taken back is `new` again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.audit import record
from training_hub.catalogue.clip_filter import DATASETS, NORMAL
from training_hub.catalogue.errors import CatalogueError, NotThereError, StateError
from training_hub.catalogue.tables import Clip, Label

MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Deed:
    """Who does something, when and from where, for the audit log.

    Attributes:
        actor: As `Person.actor`.
        at: When.
        address: Of the client.
    """

    actor: str
    at: datetime
    address: str | None = None

    def record(self, session: Session, action: str, subject: str, detail: dict[str, object]) -> None:
        """Write it into the log, in the transaction of the deed itself."""
        record(session, self.actor, action, subject, detail, self.address)


def is_anomalous(label: str) -> bool:
    """What a label says.

    >>> is_anomalous(" Normal"), is_anomalous("bearing")
    (False, True)
    """
    return label.strip().casefold() != NORMAL


def dataset_for(label: str) -> str:
    """Where a clip belongs that has this label."""
    return "validation" if is_anomalous(label) else "training"


def clips_by_id(session: Session, ids: Sequence[str], *, deleted: bool | None = False) -> list[Clip]:
    """Clips to be changed, in the order of `ids`, each once; on PostgreSQL they are locked.

    Args:
        session: A writing transaction.
        ids: Which.
        deleted: Whether they must be deleted; None: either.

    Raises:
        NotThereError: One is not there; nothing was changed.
        StateError: One is in another state; nothing was changed.
        CatalogueError: Too many.
    """
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MOST_AT_ONCE:
        raise CatalogueError(f"{len(wanted)} clips at once; at most {MOST_AT_ONCE}")
    rows = session.scalars(select(Clip).where(Clip.id.in_(wanted)).order_by(Clip.id).with_for_update(of=Clip))
    found = {clip.id: clip for clip in rows}
    for id_ in wanted:
        clip = found.get(id_)
        if clip is None:
            raise NotThereError(f"there is no clip {id_}; nothing was changed")
        if deleted is not None and (clip.deleted_at is not None) != deleted:
            raise StateError(f"{id_} is {'a' if clip.deleted_at else 'no'} deleted clip; nothing was changed")
    return [found[id_] for id_ in wanted]


def label_clips(
    session: Session, ids: Sequence[str], label: str | None, deed: Deed, *, note: str | None = None
) -> list[Clip]:
    """Label clips, or take their labels back, and move them by the rule.

    Args:
        session: A writing transaction.
        ids: Which.
        label: `normal`, or a fault's name; None takes the label back.
        deed: By whom.
        note: In the person's words.

    Returns:
        The clips as they are now.

    Raises:
        CatalogueError: One is not there; nothing was changed.
    """
    word = None if label is None else label.strip()
    if word == "":
        raise CatalogueError("the label is empty; say `normal`, or name the fault")
    if word is not None and not is_anomalous(word):
        word = NORMAL
    clips = clips_by_id(session, ids)
    for clip in clips:
        before = {"label": clip.label, "dataset": clip.dataset}
        clip.label = word
        clip.anomalous = None if word is None else is_anomalous(word)
        clip.labelled_by = None if word is None else deed.actor
        clip.labelled_at = None if word is None else deed.at
        if clip.dataset != "external":
            clip.dataset = "new" if word is None else dataset_for(word)
        if word is not None:
            session.add(
                Label(clip_id=clip.id, label=word, anomalous=is_anomalous(word), by=deed.actor, at=deed.at, note=note)
            )
        after = {"label": clip.label, "dataset": clip.dataset}
        action = "clip.label" if word is not None else "clip.unlabel"
        deed.record(session, action, f"clip:{clip.id}", {"before": before, "after": after, "note": note})
    return clips


def move_clips(session: Session, ids: Sequence[str], dataset: str, deed: Deed) -> list[Clip]:
    """Put clips into a dataset by hand; a labelled fault never into `training`.

    Raises:
        CatalogueError: No such dataset, a clip is not there, or is a fault; nothing was changed.
    """
    if dataset not in DATASETS:
        raise CatalogueError(f"{dataset!r} is no dataset; use one of {', '.join(DATASETS)}")
    clips = clips_by_id(session, ids)
    for clip in clips:
        if dataset == "training" and clip.anomalous:
            raise StateError(
                f"{clip.id} is labelled {clip.label!r}; only normal sound is trained on: label it normal first"
            )
    for clip in clips:
        if clip.dataset != dataset:
            detail: dict[str, object] = {"before": clip.dataset, "after": dataset}
            deed.record(session, "clip.dataset", f"clip:{clip.id}", detail)
            clip.dataset = dataset
    return clips


def labels_of(session: Session, clip_id: str) -> Sequence[Label]:
    """Every label a clip was ever given, the last first."""
    query = select(Label).where(Label.clip_id == clip_id).order_by(Label.at.desc(), Label.id.desc())
    return session.scalars(query).all()
