"""The normal clip of its machine that a catalogued clip is most alike to."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.detection import statistics
from training_hub.catalogue.tables import Clip, Machine
from training_hub.parts import HubParts
from training_hub.sounds.errors import SoundError
from training_hub.sounds.nearest import direction, nearest_clips
from training_hub.sounds.profiles import normals_of
from training_hub.sounds.reading import frames_of
from training_hub.storage.errors import StorageError

_MOST_READ = 24
"""Clips whose files are read to compare spectra; some 10 ms each."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A clip that sounds alike, and by what that is told."""

    clip: str
    machine: Machine
    distance: float
    by: Literal["embedding", "spectrum"]


def nearest_normal(parts: HubParts, clip: Clip) -> Alike | None:
    """The machine's normal clip to listen to beside `clip`: by embedding, by spectrum where that cannot be.

    Args:
        parts: The hub's parts.
        clip: With its machine.

    Returns:
        None where the machine has no other normal clip that can be read.
    """
    towards = direction(clip.embedding)
    with parts.database.transaction(writes=False) as session:
        if towards is not None and clip.bundle_sha256 is not None:
            found = nearest_clips(session, towards, clip.bundle_sha256, machine_id=clip.machine_id, without=clip.id)
            if found:
                return Alike(found[0].clip, found[0].machine, found[0].distance, "embedding")
        others = _others(session, clip)
    if not others:
        return None
    own = _shape(parts, clip.sha256, clip.kind, clip.id)
    shapes = [(id_, _shape(parts, sha256, kind, id_)) for id_, sha256, kind in others]
    known = [(id_, shape) for id_, shape in shapes if shape is not None]
    if own is None or not known:
        return None
    distances = [float(np.clip(1.0 - _cosine(own, shape), 0.0, 2.0)) for _, shape in known]
    best = int(np.argmin(distances))
    return Alike(known[best][0], clip.machine, distances[best], "spectrum")


def _others(session: Session, clip: Clip) -> list[tuple[str, str, str]]:
    chosen = [other.id for other in normals_of(session, clip.machine_id, _MOST_READ) if other.id != clip.id]
    rows = session.execute(select(Clip.id, Clip.sha256, Clip.kind).where(Clip.id.in_(chosen)))
    return [(id_, sha256, kind) for id_, sha256, kind in rows]


def _shape(parts: HubParts, sha256: str, kind: str, id_: str) -> NDArray[np.float64] | None:
    try:
        return np.asarray(statistics.shape(frames_of(parts.objects.get(sha256), kind, name=id_)), np.float64)
    except (SoundError, StorageError):
        return None


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 0.0
