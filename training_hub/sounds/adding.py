"""Sounds that people add: normal ones to training, faults to validation, others' recordings apart."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.clips.encode import flac_bytes
from edge_agent.delivery.ulid import UlidFactory
from training_hub.catalogue.clip_filter import NORMAL
from training_hub.catalogue.labelling import Deed, dataset_for, is_anomalous
from training_hub.catalogue.stored import add_once, store_object
from training_hub.catalogue.tables import Clip, Label, Machine
from training_hub.parts import HubParts
from training_hub.sounds.cut import MIN_S, as_float, cut_clips
from training_hub.sounds.decode import SAMPLE_RATE_HZ, FileFacts
from training_hub.sounds.desk import SoundDesk
from training_hub.sounds.ear import Ear
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.sounds.nearest import packed
from training_hub.sounds.upload import Upload

_AUDIO_TYPE = "audio/flac"


@dataclass(frozen=True, slots=True)
class Addition:
    """What somebody says of the sound.

    Attributes:
        site, machine, type: Whose it is; a machine that is not there yet is made.
        label: `normal`, or a fault's name; None only for `external`.
        external: Whether it comes from elsewhere and is kept apart.
        recording: What it must not be split from; None: its own file.
        heard_at: When it was heard; None: now.
    """

    site: str
    machine: str
    type: str
    label: str | None = None
    external: bool = False
    recording: str | None = None
    heard_at: datetime | None = None


class UploadNote(BaseModel):
    """What a clip's `sidecar` says of one that was added by hand.

    Attributes:
        source: Tells it from a gateway's.
        file_name, file_sha256, file_bytes: What was sent.
        file: What that was.
        start_s: Where in it the clip begins.
        added_by: Who sent it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["upload"] = "upload"
    file_name: str
    file_sha256: str
    file_bytes: int
    file: FileFacts
    start_s: float
    added_by: str


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one clip of the sound.

    Attributes:
        clip: As it is in the catalogue.
        state: `added`; `repeated` where the machine had this very sound, which stays as it is; `deleted` where it had,
            and somebody deleted it: restore it.
    """

    clip: Clip
    state: Literal["added", "repeated", "deleted"]


class SoundAdder:
    """Adds sounds to the catalogue. Any thread.

    Args:
        desk: Decodes and listens.
    """

    def __init__(self, desk: SoundDesk) -> None:
        self._desk = desk
        self._parts: HubParts = desk.parts
        self._ids = UlidFactory.of_this_computer()

    def add(self, upload: Upload, addition: Addition, deed: Deed) -> list[Added]:
        """Store a sound in clips of ten seconds.

        Args:
            upload: Any WAV, FLAC, MP3 or OGG.
            addition: What it is.
            deed: By whom.

        Returns:
            Its clips, in order of time.

        Raises:
            SoundError: The sound cannot be used, or the machine is of another type; nothing was stored.
        """
        if addition.label is None and not addition.external:
            raise SoundError(Refusal.LIMITS, "say what it is: a label (`normal`, or the fault), or external=true")
        if addition.label is not None and not addition.label.strip():
            raise SoundError(Refusal.LIMITS, "the label is empty; say `normal`, or name the fault")
        ear = self._desk.bundles.ear()
        decoded = self._desk.decode(upload, longest_s=self._parts.settings.sounds.max_duration_s, cut=False)
        if decoded.duration_s < MIN_S:
            raise SoundError(Refusal.LIMITS, f"only {decoded.duration_s:.2f} s of sound; give at least {MIN_S} s")
        prepared = [self._prepare(samples, at, ear) for at, samples in enumerate(cut_clips(decoded.samples))]
        with self._parts.database.transaction() as session:
            machine = machine_for(session, addition.site, addition.machine, addition.type)
            bringing = _Bringing(upload, decoded.facts, machine, addition, ear.bundle.sha256, deed)
            found = [self._store(session, clip, bringing) for clip in prepared]
        return found

    def _prepare(self, samples: NDArray[np.int16], at: int, ear: Ear) -> "_Prepared":
        window = ear.hear(as_float(samples), name="the sound")
        content = flac_bytes(samples)
        return _Prepared(
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            start_s=at * 10.0,
            duration_s=len(samples) / SAMPLE_RATE_HZ,
            embedding=packed(window.features),
            level_dbfs=window.level.rms_dbfs if window.level is not None else None,
        )

    def _store(self, session: Session, prepared: "_Prepared", bringing: "_Bringing") -> Added:
        upload, machine, addition, deed = bringing.upload, bringing.machine, bringing.addition, bringing.deed
        store_object(session, self._parts.objects, prepared.content, _AUDIO_TYPE, sha256=prepared.sha256)
        known = session.scalar(
            select(Clip).where(Clip.sha256 == prepared.sha256, Clip.machine_id == machine.id).order_by(Clip.id).limit(1)
        )
        if known is not None:
            return Added(known, "repeated" if known.deleted_at is None else "deleted")
        label = addition.label.strip() if addition.label is not None else None
        if label is not None and not is_anomalous(label):
            label = NORMAL
        start = addition.heard_at or deed.at
        note = UploadNote(
            file_name=upload.name,
            file_sha256=upload.sha256,
            file_bytes=upload.size_bytes,
            file=bringing.facts,
            start_s=prepared.start_s,
            added_by=deed.actor,
        )
        clip = Clip(
            id=self._ids(),
            sha256=prepared.sha256,
            machine=machine,
            gateway=None,
            origin="upload",
            original=False,
            dataset="external" if addition.external or label is None else dataset_for(label),
            kind="audio",
            recording=addition.recording or f"upload-{upload.sha256[:32]}",
            heard_at=start + timedelta(seconds=prepared.start_s),
            received_at=deed.at,
            duration_s=prepared.duration_s,
            window_s=prepared.duration_s,
            reason="upload",
            level_dbfs=prepared.level_dbfs,
            bundle_sha256=bringing.bundle_sha256,
            embedding=prepared.embedding,
            label=label,
            anomalous=None if label is None else is_anomalous(label),
            labelled_by=None if label is None else deed.actor,
            labelled_at=None if label is None else deed.at,
            sidecar=note.model_dump(mode="json"),
        )
        session.add(clip)
        session.flush()
        if label is not None:
            session.add(Label(clip_id=clip.id, label=label, anomalous=is_anomalous(label), by=deed.actor, at=deed.at))
        detail: dict[str, object] = {"file": upload.name, "dataset": clip.dataset, "label": label}
        deed.record(session, "clip.add", f"clip:{clip.id}", detail)
        return Added(clip, "added")


@dataclass(frozen=True, slots=True)
class _Bringing:
    upload: Upload
    facts: FileFacts
    machine: Machine
    addition: Addition
    bundle_sha256: str
    deed: Deed


@dataclass(frozen=True, slots=True)
class _Prepared:
    content: bytes
    sha256: str
    start_s: float
    duration_s: float
    embedding: bytes | None
    level_dbfs: float | None


def machine_for(session: Session, site: str, name: str, type_: str) -> Machine:
    """The machine of that name, made where it is not there.

    Raises:
        SoundError: It is there, and of another type.
    """
    wanted = select(Machine).where(Machine.site == site, Machine.name == name)
    found = session.scalar(wanted)
    if found is None:
        add_once(session, Machine(site=site, name=name, type=type_))
        found = session.scalars(wanted).one()
    if found.type != type_:
        raise SoundError(Refusal.CONFLICT, f"machine {site}/{name} is a {found.type}, not a {type_}; say so, or rename")
    return found
