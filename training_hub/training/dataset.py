"""The two mixes of training data, as arrays that a training step can draw from without a file."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.golden import patches_of
from edge_agent.inference.manifest import DataSource, Label
from edge_agent.signal.settings import SignalSettings
from training_hub.training.errors import TrainingError
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recorded import load_recorded
from training_hub.training.recording import Recording
from training_hub.training.simulated import SimulationPlan, simulate_recordings
from training_hub.training.splits import split, teaches_background


class Mix(StrEnum):
    """What to train on: `clean` may be shipped, `all` is for measuring only."""

    CLEAN = "clean"
    ALL = "all"


@dataclass(frozen=True)
class Corpus:
    """Recordings laid end to end.

    Attributes:
        frames: float16 `[frames, bands]`.
        starts: Where each recording begins, `[recordings]`.
        lengths: Its frames, `[recordings]`.
        labels: Its label's index, `[recordings]`; -1 for background.
        classes: Its class's index, `[recordings]`: a machine in one condition; -1 for background.
    """

    frames: NDArray[np.float16]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Everything a run needs.

    Attributes:
        labels: What the logits stand for, sorted.
        class_labels: The label of every class, `[classes]`: the angular loss tells a machine's conditions apart, the
            logits do not.
        train: Machines to learn.
        noise: Background to mix in.
        test: Held-out recordings.
        sources: Where it all came from, for the manifest.
        skipped: Recordings shorter than a patch.
    """

    labels: tuple[Label, ...]
    class_labels: NDArray[np.int64]
    train: Corpus
    noise: Corpus
    test: tuple[Recording, ...]
    sources: tuple[DataSource, ...]
    skipped: int


def load_recordings(
    mix: Mix,
    cache: FeatureCache,
    *,
    data: Path | None,
    plan: SimulationPlan,
    unseen_types: Collection[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> list[Recording]:
    """Every recording of a mix.

    Args:
        mix: Which.
        cache: Where features are kept.
        data: Directory with a `manifest.csv`; None trains on simulated machines alone.
        plan: How much to simulate.
        unseen_types: Machine types that stay unseen, to be evaluated on. Of recorded background every second group
            stays unseen too (`splits.teaches_background`).
        progress: Told what is being done.
    """
    recordings = simulate_recordings(plan, cache, progress)
    if data is not None:
        found = load_recorded(data / "manifest.csv", cache, clean_only=mix is Mix.CLEAN)
        recorded = [
            r
            for r in found
            if r.machine_type not in unseen_types and (not r.is_background or teaches_background(r.group))
        ]
        progress(f"read {len(found)} recordings from {data.name}, {len(found) - len(recorded)} of them left unseen")
        recordings += recorded
    return recordings


def build_training_set(recordings: Sequence[Recording], settings: SignalSettings) -> TrainingSet:
    """Split, label and lay out recordings.

    Raises:
        TrainingError: Fewer than two machines, or no background.
    """
    long = [recording for recording in recordings if len(recording.log_mel_db) >= settings.patch_frames]
    train, test = split(long)
    types = {recording.machine_id: recording.machine_type for recording in train}
    labels = tuple(Label(machine_id=name, machine_type=types[name]) for name in sorted(types))
    noise = [recording for recording in long if recording.is_background]
    if len(labels) < 2 or not noise:
        raise TrainingError(f"{len(labels)} machines and {len(noise)} background recordings; training needs 2 and 1")
    index = {label.machine_id: k for k, label in enumerate(labels)}
    kinds = sorted({(recording.machine_id, recording.condition) for recording in train})
    classes = {kind: k for k, kind in enumerate(kinds)}
    return TrainingSet(
        labels=labels,
        class_labels=np.array([index[machine_id] for machine_id, _ in kinds], np.int64),
        train=_lay_out(
            train,
            [index[recording.machine_id] for recording in train],
            [classes[recording.machine_id, recording.condition] for recording in train],
        ),
        noise=_lay_out(noise, [-1] * len(noise), [-1] * len(noise)),
        test=tuple(test),
        sources=_sources([*train, *noise]),
        skipped=len(recordings) - len(long),
    )


def held_out_patches(recording: Recording, settings: SignalSettings) -> NDArray[np.float32]:
    """All patches of a recording on the agent's grid, `[n, patch_frames, bands]`."""
    return patches_of(recording.log_mel_db.astype(np.float32), settings)


def _lay_out(recordings: Sequence[Recording], labels: Sequence[int], classes: Sequence[int]) -> Corpus:
    lengths = np.array([len(recording.log_mel_db) for recording in recordings], np.int64)
    return Corpus(
        frames=np.concatenate([recording.log_mel_db for recording in recordings]),
        starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        lengths=lengths,
        labels=np.array(labels, np.int64),
        classes=np.array(classes, np.int64),
    )


def _sources(recordings: Sequence[Recording]) -> tuple[DataSource, ...]:
    """One entry per body of data: all simulated machines together, every recorded machine by itself."""
    counts: dict[tuple[str, str], int] = {}
    for recording in recordings:
        simulated = recording.machine_id.startswith(("sim_", "noise_"))
        name = "simulated machines and noise" if simulated else f"{recording.machine_type} {recording.machine_id}"
        key = (name, recording.licence)
        counts[key] = counts.get(key, 0) + 1
    return tuple(DataSource(name=name, licence=licence, recordings=n) for (name, licence), n in sorted(counts.items()))
