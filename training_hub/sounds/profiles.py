"""A machine's profile from its catalogued normals, fitted as a gateway would, kept until they change."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, load_only

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError, DetectionError
from edge_agent.detection.features import Recording
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.pipeline.priors import type_prior
from training_hub.catalogue.tables import Clip, Machine
from training_hub.parts import HubParts
from training_hub.retention.files import used
from training_hub.sounds.ear import Ear
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.sounds.reading import Window, frames_of, window_samples
from training_hub.storage.errors import StorageError

_KEPT = 32
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Fitted:
    """A profile that scores.

    Attributes:
        scorer: Says how odd a window is.
        clips: How many normal clips it rests on.
        left_out: Clips that could not be read.
    """

    scorer: MachineScorer
    clips: int
    left_out: int


class ProfileShelf:
    """Profiles by bundle, machine and normals: in memory, and as files that may be deleted at any time.

    Args:
        parts: The hub's parts.
    """

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._directory = parts.settings.server.state_dir / "cache" / "profiles"
        self._lock = threading.Lock()
        self._locks: dict[int, threading.Lock] = {}
        self._fitted: OrderedDict[str, Fitted] = OrderedDict()

    def of(self, machine: Machine, ear: Ear) -> Fitted:
        """The machine's profile with a bundle.

        Raises:
            SoundError: Too few normal clips are catalogued, or they teach no profile; says why.
        """
        with self._parts.database.transaction(writes=False) as session:
            clips = normals_of(session, machine.id, self._parts.settings.sounds.profile_clips)
        if len(clips) < _LEAST:
            raise SoundError(
                Refusal.UNAVAILABLE,
                f"{machine.site}/{machine.name} has {len(clips)} normal clips; a profile needs {_LEAST}: "
                "label some normal, or add some",
            )
        words = [ear.bundle.sha256, machine.type, *(clip.id for clip in clips)]
        key = hashlib.sha256("\n".join(words).encode()).hexdigest()
        with self._lock:
            fitting = self._locks.setdefault(machine.id, threading.Lock())
        with fitting:
            found = self._fitted.get(key) or self._load_or_fit(key, machine, clips, ear)
            with self._lock:
                self._fitted[key] = found
                self._fitted.move_to_end(key)
                while len(self._fitted) > _KEPT:
                    self._fitted.popitem(last=False)
        return found

    def _load_or_fit(self, key: str, machine: Machine, clips: list[Clip], ear: Ear) -> Fitted:
        prior = type_prior(ear.bundle, machine.type)
        path = self._directory / f"{key}.npz"
        if path.is_file():
            try:
                found = Fitted(MachineScorer(Profile.load(path), prior), len(clips), 0)
                used(path)
                return found
            except DetectionError:
                path.unlink(missing_ok=True)  # damaged, or of another version: it is fitted again
        recordings = self._recordings(clips, ear)
        try:
            profile = commission(
                machine.name,
                machine.type,
                recordings,
                prior,
                bundle=ear.bundle.ref,
                budget=AlarmBudget(),
                created_ns=0,
                hear=ear.features,
            )
        except (CommissioningError, DetectionError) as error:
            raise SoundError(
                Refusal.UNAVAILABLE, f"the normals of {machine.site}/{machine.name} teach no profile: {error}"
            ) from error
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        profile.save(path)
        return Fitted(MachineScorer(profile, prior), len(recordings), len(clips) - len(recordings))

    def _recordings(self, clips: list[Clip], ear: Ear) -> list[Recording]:
        found = []
        for clip in clips:
            try:
                content = self._parts.objects.get(clip.sha256)
                if clip.kind == "audio":
                    heard = ear.hear(
                        window_samples(content, Window(clip.window_offset_s, clip.window_s), name=clip.id),
                        name=f"clip {clip.id}",
                    )
                else:
                    heard = ear.hear_frames(frames_of(content, clip.kind, name=clip.id))
            except (SoundError, StorageError):
                continue  # counted in `left_out`
            found.append(Recording(clip.id, (heard.features,), (heard.level,), trusted=clip.labelled_by is not None))
        return found


def normals_of(session: Session, machine_id: int, most: int) -> list[Clip]:
    """A machine's clips to learn from, in order of time; of many, ones spread evenly over the time they span."""
    columns = load_only(
        Clip.id, Clip.sha256, Clip.kind, Clip.window_offset_s, Clip.window_s, Clip.labelled_by, raiseload=True
    )
    clips = session.scalars(
        select(Clip)
        .options(columns)
        .where(
            Clip.machine_id == machine_id,
            Clip.dataset == "training",
            or_(Clip.anomalous.is_(False), Clip.anomalous.is_(None)),
            Clip.deleted_at.is_(None),
        )
        .order_by(Clip.heard_at, Clip.id)
    ).all()
    if len(clips) <= most:
        return list(clips)
    return [clips[i * len(clips) // most] for i in range(most)]
