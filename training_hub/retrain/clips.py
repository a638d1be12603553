"""What the catalogue's clips teach: normal sound, faults with names, and from which recording each is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.signal.settings import SignalSettings
from training_hub.catalogue.tables import Clip
from training_hub.features.catalogued import key_of
from training_hub.features.store import FeatureKey
from training_hub.training.normals import MIN_FRAMES, WINDOW_FRAMES

FloatArray = NDArray[np.float32]

LEARNT_FROM = ("new", "training", "validation")
OWN_RECORDINGS = "own recordings"
NOT_STATED = "none stated"
_NO_NAME = ("anomaly", "anomalous", "abnormal", "fault", "unknown")


@dataclass(frozen=True)
class KnownClip:
    """A clip of which somebody said what it is.

    Attributes:
        clip_id: Its id in the catalogue.
        key: Where its features are.
        kind: `audio` or `log_mel`.
        machine_row: Its machine's row.
        machine: `site/name`.
        machine_type: Type of the machine.
        recording, day: What must not be divided: everything of one recording and, of a gateway's, of one day (empty
            for what was brought from elsewhere, whose day nobody knows).
        state: The operating state, where one was named.
        anomalous: Whether something is wrong with the machine.
        label: The fault's name, for an anomalous one that has one.
        licence: The terms that it may be used under.
        offset_s, window_s: The window that was judged; None where the whole clip is meant.
    """

    clip_id: str
    key: FeatureKey
    kind: str
    machine_row: int
    machine: str
    machine_type: str
    recording: str
    day: str
    state: str
    anomalous: bool
    label: str | None
    licence: str
    offset_s: float = 0.0
    window_s: float | None = None

    def windows_of(self, frames: FloatArray) -> tuple[FloatArray, ...]:
        """The clip's windows `[frames, 128]`, from all its frames; none where what is left is too short."""
        signal = SignalSettings()
        per_s = signal.sample_rate_hz / signal.hop_samples
        if self.window_s is not None:
            first = round(self.offset_s * per_s)
            frames = frames[first : first + max(MIN_FRAMES, round(self.window_s * per_s))]
        cut = [frames[at : at + WINDOW_FRAMES] for at in range(0, len(frames), WINDOW_FRAMES)]
        return tuple(window for window in cut if len(window) >= MIN_FRAMES)


@dataclass(frozen=True)
class Known:
    """The clips to work with.

    Attributes:
        clips: By machine and time.
        skipped: How many clips were left aside, and why.
    """

    clips: tuple[KnownClip, ...]
    skipped: Mapping[str, int]

    def kinds(self) -> dict[FeatureKey, str]:
        """As `features.extract` takes them."""
        return {clip.key: clip.kind for clip in self.clips}


def known_clips(session: Session) -> Known:
    """Clips of the catalogue that say what they are: labelled, or added as training data.

    Clips kept apart (`external`), deleted ones, and those with lost or silenced parts teach nothing.
    """
    wanted = select(Clip).where(Clip.deleted_at.is_(None)).order_by(Clip.machine_id, Clip.heard_at, Clip.id)
    found: list[KnownClip] = []
    skipped: Counter[str] = Counter()
    seen: set[tuple[int, str]] = set()
    for clip in session.scalars(wanted):
        anomalous = clip.anomalous if clip.anomalous is not None else (False if clip.dataset == "training" else None)
        if clip.dataset not in LEARNT_FROM:
            skipped[f"kept apart as {clip.dataset}"] += 1
        elif not clip.may_train:
            skipped["lost or silenced parts"] += 1
        elif anomalous is None:
            skipped["nobody said what it is"] += 1
        elif (clip.machine_id, clip.sha256) in seen:
            skipped["the same sound twice"] += 1
        else:
            seen.add((clip.machine_id, clip.sha256))
            found.append(_known(clip, anomalous))
    return Known(tuple(found), dict(skipped))


def _known(clip: Clip, anomalous: bool) -> KnownClip:
    note = clip.sidecar or {}
    from_gateway = clip.origin == "gateway"
    licence = note.get("licence") if isinstance(note.get("licence"), str) else None
    condition = note.get("condition")
    state = condition if isinstance(condition, str) and condition.startswith("state_") else ""
    return KnownClip(
        clip_id=clip.id,
        key=key_of(clip),
        kind=clip.kind,
        machine_row=clip.machine_id,
        machine=f"{clip.machine.site}/{clip.machine.name}",
        machine_type=clip.machine.type,
        recording=f"{clip.machine.site}/{clip.recording}",
        day=f"{clip.machine.site}/{clip.machine.name}/{clip.heard_at.date()}" if from_gateway else "",
        state=state,
        anomalous=anomalous,
        label=clip.label if anomalous and (clip.label or "").lower() not in _NO_NAME else None,
        licence=licence or (OWN_RECORDINGS if clip.origin != "import" else NOT_STATED),
        offset_s=clip.window_offset_s,
        window_s=clip.window_s if from_gateway else None,
    )


@dataclass(frozen=True, eq=False)
class LearntClip:
    """A known clip with its windows, `[frames, 128]` each, dB."""

    clip: KnownClip
    group: str
    windows: tuple[FloatArray, ...]


def with_windows(
    clips: Iterable[KnownClip], groups: Mapping[str, str], frames: Mapping[str, FloatArray]
) -> tuple[LearntClip, ...]:
    """Clips whose features are there and long enough, with their windows.

    Args:
        clips: The clips.
        groups: What each clip must not be divided from, by its id.
        frames: By the clip's SHA-256.
    """
    found = []
    for clip in clips:
        whole = frames.get(clip.key.sha256)
        windows = () if whole is None else clip.windows_of(whole)
        if windows:
            found.append(LearntClip(clip, groups[clip.clip_id], windows))
    return tuple(found)


def by_machine(clips: Sequence[LearntClip]) -> dict[str, list[LearntClip]]:
    """Clips of each machine, in their order."""
    found: dict[str, list[LearntClip]] = {}
    for item in clips:
        found.setdefault(item.clip.machine, []).append(item)
    return found
