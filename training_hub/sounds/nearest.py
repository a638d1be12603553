"""The catalogued clips that a sound is most alike to, by the encoder's embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.unit import unit
from edge_agent.pipeline.identity import mean_direction
from training_hub.catalogue.tables import Clip, Machine

MOST_COMPARED = 5000


@dataclass(frozen=True, slots=True)
class Near:
    """A clip near to a sound.

    Attributes:
        clip: Its id.
        machine: Whose it is.
        distance: 1 less the cosine: 0 the same, 2 the opposite.
    """

    clip: str
    machine: Machine
    distance: float


def packed(features: WindowFeatures) -> bytes | None:
    """The mean embedding as clips carry it: float16, little endian; None where no patch was whole.

    The same as the agent packs: the mean of the patches' embeddings.
    """
    if not features.embeddings.size:
        return None
    content: bytes = features.embeddings.mean(axis=0).astype("<f2").tobytes()
    return content


def direction(embedding: bytes | None) -> NDArray[np.float32] | None:
    """A packed embedding as a unit vector; None for none, or one that is none."""
    if not embedding or len(embedding) % 2:
        return None
    vector = np.frombuffer(embedding, "<f2").astype(np.float32)
    return unit(vector[None])[0] if np.isfinite(vector).all() and vector.any() else None


def direction_of(features: WindowFeatures) -> NDArray[np.float32] | None:
    """The same of a window that was just heard."""
    return mean_direction(features.embeddings) if features.embeddings.size else None


def nearest_clips(
    session: Session,
    towards: NDArray[np.float32],
    bundle_sha256: str,
    *,
    machine_id: int | None = None,
    normal_only: bool = True,
    without: str | None = None,
    most: int = 1,
) -> Sequence[Near]:
    """The clips nearest to a direction, nearest first; among the newest `MOST_COMPARED`.

    Args:
        session: A transaction.
        towards: Unit vector.
        bundle_sha256: The bundle that made it; embeddings of others mean something else.
        machine_id: Only this machine's.
        normal_only: Only those in training, and not labelled a fault.
        without: A clip to leave out.
        most: How many.
    """
    query = (
        select(Clip.id, Clip.machine_id, Clip.embedding)
        .where(Clip.bundle_sha256 == bundle_sha256, Clip.embedding.is_not(None), Clip.deleted_at.is_(None))
        .order_by(Clip.heard_at.desc())
        .limit(MOST_COMPARED)
    )
    if machine_id is not None:
        query = query.where(Clip.machine_id == machine_id)
    if normal_only:
        query = query.where(Clip.dataset == "training", or_(Clip.anomalous.is_(False), Clip.anomalous.is_(None)))
    if without is not None:
        query = query.where(Clip.id != without)
    size = 2 * len(towards)
    rows = [(clip, owner, found) for clip, owner, found in session.execute(query) if found and len(found) == size]
    if not rows:
        return ()
    vectors = np.frombuffer(b"".join(found for _, _, found in rows), "<f2").reshape(len(rows), -1).astype(np.float32)
    usable = np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)
    cosines = np.where(usable, unit(np.where(usable[:, None], vectors, 1.0)) @ towards, -1.0)
    order = np.argsort(-cosines, kind="stable")[:most]
    owners = {rows[i][1] for i in order}
    machines = {found.id: found for found in session.scalars(select(Machine).where(Machine.id.in_(owners)))}
    return tuple(
        Near(rows[i][0], machines[rows[i][1]], float(np.clip(1.0 - cosines[i], 0.0, 2.0))) for i in order.tolist()
    )
