"""Recordings of a directory, as `manifest.csv` and `.npz` files describe them: hostile until checked."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.encode import log_mel_bytes
from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.signal.settings import SignalSettings
from training_hub.evaluation.clips import ANOMALY, BACKGROUND, OFF
from training_hub.features.decode import AUDIO, LOG_MEL
from training_hub.features.store import FeatureKey
from training_hub.retrain.clips import NOT_STATED, KnownClip
from training_hub.retrain.errors import RetrainError
from training_hub.training.errors import TrainingError
from training_hub.training.recorded import licence_of, read_rows

SITE = "external"
_MOST_NPZ_BYTES = 1 << 30
_MOST_CLIP_BYTES = 64 << 20
_BANDS = SignalSettings().n_mels
_NO_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class FoundClip:
    """One recording of the directory.

    Attributes:
        name: What it is called there.
        content: Its file, or an `.npz` of its frames.
        kind: `audio` or `log_mel`.
        machine_id, machine_type: The machine.
        condition: `normal`, `state_*`, `anomaly`, `background`, or any other word.
        group: The recording that it was cut from.
        label: The fault's name, where a column `label` gives one.
        licence, note: As stated.
    """

    name: str
    content: bytes
    kind: str
    machine_id: str
    machine_type: str
    condition: str
    group: str
    label: str
    licence: str
    note: str

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def anomalous(self) -> bool | None:
        """Whether something is wrong with the machine; None where nothing says so, or it is switched off."""
        if self.condition == ANOMALY:
            return True
        is_normal = self.condition == "normal" or (self.condition.startswith("state_") and self.condition != OFF)
        return False if is_normal else None

    @property
    def is_background(self) -> bool:
        """Whether it is no machine's."""
        return BACKGROUND in (self.condition, self.machine_type)


def read_directory(root: Path) -> Iterator[FoundClip]:
    """Every recording of a directory's `manifest.csv` and of all `.npz` files below it.

    Raises:
        RetrainError: Neither is there, or one is damaged.
    """
    manifest = root / "manifest.csv"
    packed = sorted(root.glob("**/*.npz")) if root.is_dir() else []
    if not manifest.exists() and not packed:
        raise RetrainError(f"{root}: neither a manifest.csv nor .npz files of log-mel clips; give such a directory")
    if manifest.exists():
        yield from _listed(manifest)
    for path in packed:
        yield from _packed(path)


def known_of(clip: FoundClip) -> KnownClip | None:
    """The clip as retraining takes it, without a catalogue; None for one that nobody said anything of."""
    if clip.anomalous is None or clip.is_background:
        return None
    return KnownClip(
        clip_id=clip.name,
        key=FeatureKey(clip.sha256, SITE, clip.machine_id, _NO_DAY),
        kind=clip.kind,
        machine_row=0,
        machine=f"{SITE}/{clip.machine_id}",
        machine_type=clip.machine_type,
        recording=f"{SITE}/{clip.machine_id}/{clip.group}",
        day="",
        state=clip.condition if clip.condition.startswith("state_") else "",
        anomalous=clip.anomalous,
        label=clip.label or None,
        licence=clip.licence,
    )


def _listed(manifest: Path) -> Iterator[FoundClip]:
    try:
        for path, row in read_rows(manifest):
            if path.stat().st_size > _MOST_CLIP_BYTES:
                raise RetrainError(f"{path}: {path.stat().st_size} bytes; cut it into clips of a minute or less")
            yield FoundClip(
                name=row["file"],
                content=path.read_bytes(),
                kind=AUDIO,
                machine_id=row["machine_id"],
                machine_type=row["machine_type"],
                condition=row["condition"],
                group=row["group"],
                label=row.get("label") or "",
                licence=licence_of(row) or NOT_STATED,
                note=row.get("note") or "",
            )
    except TrainingError as error:
        raise RetrainError(str(error)) from error
    except OSError as error:
        raise RetrainError(f"{error.filename or manifest}: {error.strerror}; mend or remove its row") from error


def _packed(path: Path) -> Iterator[FoundClip]:
    try:
        arrays = read_npz(path.read_bytes(), name=str(path), max_bytes=_MOST_NPZ_BYTES)
    except (BundleError, OSError) as error:
        raise RetrainError(str(error)) from error
    frames, machines, anomalous = (arrays.get(key) for key in ("log_mel_db", "machine_id", "anomalous"))
    n = 0 if frames is None else len(frames)
    if frames is None or frames.ndim != 3 or frames.shape[2] != _BANDS or frames.dtype.kind != "f":
        raise RetrainError(f"{path}: needs log_mel_db as float [clips, frames, {_BANDS}]")
    if machines is None or machines.shape != (n,) or anomalous is None or anomalous.shape != (n,):
        raise RetrainError(f"{path}: needs machine_id and anomalous, one of each for {n} clips")
    names = arrays.get("name", np.arange(n).astype("U12"))
    types = arrays.get("machine_type", np.full(n, path.parent.name.split("_")[0]))
    for k in range(n):
        yield _packed_clip(path, frames[k], str(machines[k]), str(types[k]), str(names[k]), bool(anomalous[k]))


def _packed_clip(  # noqa: PLR0917  # columns of one row
    path: Path, frames: NDArray[Any], machine_id: str, machine_type: str, name: str, is_anomalous: bool
) -> FoundClip:
    window = np.ascontiguousarray(frames, np.float32)
    content = log_mel_bytes(window, first_frame=0, machine=machine_id, name=name, roll_db=window)
    return FoundClip(
        name=f"{path.stem}/{name}",
        content=content,
        kind=LOG_MEL,
        machine_id=machine_id,
        machine_type=machine_type,
        condition=ANOMALY if is_anomalous else "normal",
        group=name,
        label="",
        licence=NOT_STATED,
        note="",
    )
