"""Recordings of a directory into the catalogue, as data to learn from, to judge by, or to keep apart."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import soundfile
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.ulid import UlidFactory
from edge_agent.settings.base import ID_PATTERN
from edge_agent.signal.settings import SignalSettings
from training_hub.catalogue.clip_filter import NORMAL
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.stored import store_object
from training_hub.catalogue.tables import Clip, Label
from training_hub.features.decode import LOG_MEL, decode_frames
from training_hub.features.errors import FeatureError
from training_hub.parts import HubParts
from training_hub.retrain.directory import SITE, FoundClip
from training_hub.retrain.errors import RetrainError
from training_hub.sounds.adding import machine_for

_BATCH = 50
_MEDIA_TYPES = {"audio": "audio/flac", LOG_MEL: "application/x-npz"}
ANOMALY_LABEL = "anomaly"


@dataclass(frozen=True)
class Imported:
    """What came of it.

    Attributes:
        added: New clips, by dataset.
        known: Clips that the catalogue had.
        flawed: Why others were left out, by their name.
    """

    added: Mapping[str, int]
    known: int
    flawed: Mapping[str, str]


def import_data(
    parts: HubParts, clips: Iterable[FoundClip], deed: Deed, progress: Callable[[int], None] = lambda _count: None
) -> Imported:
    """Catalogue recordings: normal ones to learn from, anomalous ones to judge by, all others kept apart.

    Run again it adds what is missing. Nothing partial is ever listed: the object is whole before its row.

    Args:
        parts: The hub's.
        clips: What was found.
        deed: By whom and when.
        progress: Told how many were looked at.
    """
    ids = UlidFactory.of_this_computer()
    added: Counter[str] = Counter()
    flawed: dict[str, str] = {}
    known, looked = 0, 0
    batch: list[tuple[FoundClip, float]] = []

    def keep() -> None:
        nonlocal known
        with parts.database.transaction() as session:
            for clip, duration_s in batch:
                row = _add(session, parts=parts, clip=clip, duration_s=duration_s, deed=deed, ids=ids)
                if row is None:
                    known += 1
                else:
                    added[row.dataset] += 1
            if batch:
                deed.record(session, "clip.import", f"site:{SITE}", {"looked_at": len(batch)})
        batch.clear()

    for clip in clips:
        looked += 1
        try:
            batch.append((clip, _checked(clip)))
        except RetrainError as error:
            flawed[clip.name] = str(error)
        if len(batch) >= _BATCH:
            keep()
        progress(looked)
    keep()
    return Imported(dict(added), known, flawed)


def _checked(clip: FoundClip) -> float:
    """Its length in seconds."""
    for word in (clip.machine_id, clip.machine_type):
        if not re.fullmatch(ID_PATTERN, word):
            raise RetrainError(f"{clip.name}: {word!r} is no name of a machine or type; use A-Z a-z 0-9 _ . -")
    signal = SignalSettings()
    try:
        frames = decode_frames(clip.content, clip.kind, name=clip.name)
    except FeatureError as error:
        raise RetrainError(str(error)) from error
    if clip.kind == LOG_MEL:
        return len(frames) * signal.hop_samples / signal.sample_rate_hz
    return float(soundfile.info(io.BytesIO(clip.content)).duration)


def _add(
    session: Session, *, parts: HubParts, clip: FoundClip, duration_s: float, deed: Deed, ids: Callable[[], str]
) -> Clip | None:
    sha256 = clip.sha256
    machine = machine_for(session, SITE, clip.machine_id, clip.machine_type)
    if session.scalar(select(Clip.id).where(Clip.sha256 == sha256, Clip.machine_id == machine.id).limit(1)):
        return None
    store_object(session, parts.objects, clip.content, _MEDIA_TYPES[clip.kind], sha256=sha256)
    anomalous = None if clip.is_background else clip.anomalous
    label = NORMAL if anomalous is False else (clip.label or ANOMALY_LABEL) if anomalous else None
    row = Clip(
        id=ids(),
        sha256=sha256,
        machine_id=machine.id,
        origin="import",
        original=True,
        dataset={False: "training", True: "validation", None: "external"}[anomalous],
        kind=clip.kind,
        recording=f"{clip.machine_id}/{clip.group}"[:128],
        heard_at=deed.at,
        received_at=deed.at,
        duration_s=duration_s,
        window_s=min(10.0, duration_s),
        reason="import",
        label=label,
        anomalous=anomalous,
        labelled_by=None if label is None else deed.actor,
        labelled_at=None if label is None else deed.at,
        sidecar={
            "name": clip.name,
            "condition": clip.condition,
            "group": clip.group,
            "licence": clip.licence,
            "note": clip.note,
        },
    )
    session.add(row)
    session.flush()
    if label is not None:
        session.add(Label(clip_id=row.id, label=label, anomalous=bool(anomalous), by=deed.actor, at=deed.at))
    return row
