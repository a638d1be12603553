"""The self-test on the gateway's own recent sound: what is normal by the bundle in use is so by the new one, nearly."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.encode import read_flac, read_log_mel
from edge_agent.clips.errors import ClipError
from edge_agent.clips.store import ClipStore
from edge_agent.detection.amid import Hear
from edge_agent.detection.scorer import MachineScorer
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings
from edge_agent.sync.updates.errors import UpdateError

MOST_CLIPS = 40
MAX_NEW_ALARMS_SHARE = 0.2
"""Of the clips that are normal by the bundle in use, those that may be anomalous by the new one: two in any case."""
_FREE_ALARMS = 2


@dataclass(frozen=True, slots=True, eq=False)
class RecentClip:
    """A clip of this gateway: its machine and log-mel frames `[frames, 128]`, dB."""

    id: str
    machine: str
    log_mel_db: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle as it scores: its encoder and a scorer for each machine."""

    hear: Hear
    scorers: Mapping[str, MachineScorer]


def recent_clips(root: Path, machines: Iterable[str], settings: SignalSettings) -> list[RecentClip]:
    """The newest clips of the machines, at most 40; those that cannot be read are left out."""
    if not root.is_dir():
        return []
    wanted = set(machines)
    found: list[RecentClip] = []
    store = ClipStore(root, StoreLimits())
    try:
        for row in store.rows(limit=10 * MOST_CLIPS):
            if row.machine not in wanted or len(found) == MOST_CLIPS:
                continue
            try:
                path = store.payload_path(store.find(row.id))
                found.append(RecentClip(row.id, row.machine, _frames(path, settings)))
            except (ClipError, ValueError, OSError):
                continue  # gone meanwhile, or damaged: `edge-agent clips verify` tells
    finally:
        store.close()
    return found


def try_on(clips: Iterable[RecentClip], former: Model, new: Model) -> int:
    """Score every clip with both; returns how many were compared.

    Raises:
        UpdateError: The new bundle cannot score one, or finds far more of them anomalous.
    """
    compared, alarmed = 0, []
    for clip in clips:
        if clip.machine not in new.scorers or clip.machine not in former.scorers or not len(clip.log_mel_db):
            continue
        try:
            verdict = new.scorers[clip.machine].score(new.hear(clip.log_mel_db))
        except Exception as error:  # whatever the new bundle fails of, it fails here and not when it is in use
            raise UpdateError(
                f"clip {clip.id} of {clip.machine}: the new bundle cannot score it: {type(error).__name__}: {error}"
            ) from error
        if not math.isfinite(verdict.score):
            raise UpdateError(f"clip {clip.id} of {clip.machine}: the new bundle gives a score of {verdict.score}")
        if former.scorers[clip.machine].score(former.hear(clip.log_mel_db)).is_anomalous:
            continue
        compared += 1
        if verdict.is_anomalous:
            alarmed.append(clip)
    if len(alarmed) > max(_FREE_ALARMS, MAX_NEW_ALARMS_SHARE * compared):
        machines = ", ".join(sorted({clip.machine for clip in alarmed}))
        raise UpdateError(
            f"{len(alarmed)} of {compared} recent clips ({machines}) that are normal are anomalous by the new bundle"
        )
    return compared


def _frames(path: Path, settings: SignalSettings) -> NDArray[np.float32]:
    if path.suffix == ".npz":
        return read_log_mel(path)
    samples = read_flac(path).astype(np.float32) / np.float32(32768.0)
    return log_mel_db(samples, settings)
