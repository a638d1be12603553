"""The recordings of an evaluation, from a directory that others made: hostile until checked."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from training_hub.evaluation.clips import ANOMALY, BACKGROUND, EvalClip, Machine, machines_of
from training_hub.evaluation.errors import EvaluationError
from training_hub.training.errors import TrainingError
from training_hub.training.recorded import read_mono, read_rows

RATE_HZ = 16_000
_MAX_NPZ_BYTES = 1 << 30
_BANDS = 128


@dataclass(frozen=True, eq=False)
class EvalData:
    """All recordings.

    Attributes:
        name: What the report calls them.
        machines: Every machine with a normal recording.
        backgrounds: Sounds that are no machine's, to mix in and to be rejected.
        others: Machine recordings that are neither normal nor known to be faulty.
        digest: SHA-256 over the files they are from; empty for recordings that no file holds.
    """

    name: str
    machines: tuple[Machine, ...]
    backgrounds: tuple[EvalClip, ...]
    others: tuple[EvalClip, ...]
    digest: str = ""

    def of_type(self, machine_type: str) -> tuple[Machine, ...]:
        """Machines of one type."""
        return tuple(machine for machine in self.machines if machine.machine_type == machine_type)

    def siblings(self, machine: Machine) -> tuple[Machine, ...]:
        """The other machines of the same type: what a type may be fitted on when this machine is judged."""
        return tuple(other for other in self.of_type(machine.machine_type) if other.machine_id != machine.machine_id)

    def find(self, machine_type: str) -> Machine | None:
        """The machine with the most normal recordings of a type, if there is one."""
        return max(self.of_type(machine_type), key=lambda machine: len(machine.normals), default=None)


def from_clips(name: str, clips: list[EvalClip]) -> EvalData:
    """Arrange clips.

    Raises:
        EvaluationError: There is none, or a name stands twice.
    """
    names = [clip.name for clip in clips]
    if not clips or len(set(names)) != len(names):
        raise EvaluationError(
            f"{name}: {len(names)} clips, {len(names) - len(set(names))} names twice; give clips once"
        )
    machines = machines_of(clips)
    used = {id(clip) for machine in machines for clip in (*machine.normals, *machine.anomalies)}
    backgrounds = tuple(clip for clip in clips if clip.machine_type == BACKGROUND)
    used |= {id(clip) for clip in backgrounds}
    return EvalData(name, machines, backgrounds, tuple(clip for clip in clips if id(clip) not in used))


def load_data(root: Path) -> EvalData:
    """Read a directory with a `manifest.csv` of recordings, and `.npz` files of log-mel clips anywhere below it.

    Raises:
        EvaluationError: Neither is there, or one of them is damaged.
    """
    manifest = root / "manifest.csv"
    packed = sorted(root.glob("**/*.npz")) if root.is_dir() else []
    if not manifest.exists() and not packed:
        raise EvaluationError(f"{root}: neither a manifest.csv nor .npz files of log-mel clips; give such a directory")
    clips = list(_recorded(manifest)) if manifest.exists() else []
    for path in packed:
        clips += _log_mel_clips(path)
    return replace(from_clips(root.resolve().name, clips), digest=_digest(root, clips, packed))


def _recorded(manifest: Path) -> Iterator[EvalClip]:
    try:
        for path, row in read_rows(manifest):
            yield EvalClip(
                name=row["file"],
                machine_type=row["machine_type"],
                machine_id=row["machine_id"],
                condition=row["condition"],
                group=row["group"],
                read_audio=_reader(path),
            )
    except TrainingError as error:
        raise EvaluationError(str(error)) from error


def _digest(root: Path, clips: list[EvalClip], packed: list[Path]) -> str:
    """Over what the recordings are said to be, and every byte of them."""
    sha = hashlib.sha256()
    for clip in clips:
        sha.update(f"{clip.name}\t{clip.machine_type}\t{clip.machine_id}\t{clip.condition}\t{clip.group}\n".encode())
    for path in [*packed, *(root / clip.name for clip in clips if clip.read_audio is not None)]:
        sha.update(path.read_bytes())
    return sha.hexdigest()


def _reader(path: Path) -> Callable[[], NDArray[np.float32]]:
    def read() -> NDArray[np.float32]:
        try:
            return read_mono(path, RATE_HZ)
        except TrainingError as error:
            raise EvaluationError(str(error)) from error

    return read


def _log_mel_clips(path: Path) -> list[EvalClip]:
    """Clips of `log_mel_db [n, frames, 128]` with `machine_id` and `anomalous`; every clip is a recording of its own.

    Their type is the array `machine_type`, or else the name of the file's directory up to its first underscore.
    """
    if path.stat().st_size > _MAX_NPZ_BYTES:
        raise EvaluationError(f"{path}: {path.stat().st_size} bytes; at most {_MAX_NPZ_BYTES} are read")
    try:
        arrays = read_npz(path.read_bytes(), name=str(path))
    except BundleError as error:
        raise EvaluationError(str(error)) from error
    frames = _column(arrays, "log_mel_db", path)
    n = len(frames)
    if frames.ndim != 3 or frames.shape[2] != _BANDS or frames.dtype.kind != "f":
        raise EvaluationError(
            f"{path}: log_mel_db is {frames.dtype} {frames.shape}; expected [clips, frames, {_BANDS}]"
        )
    machines, anomalous = _column(arrays, "machine_id", path), _column(arrays, "anomalous", path)
    if machines.shape != (n,) or anomalous.shape != (n,):
        raise EvaluationError(f"{path}: {n} clips, machine_id {machines.shape}, anomalous {anomalous.shape}")
    names = arrays.get("name", np.arange(n).astype("U12"))
    types = arrays.get("machine_type", np.full(n, path.parent.name.split("_")[0]))
    return [
        EvalClip(
            name=f"{path.stem}/{names[k]}",
            machine_type=str(types[k]),
            machine_id=str(machines[k]),
            condition=ANOMALY if anomalous[k] else "normal",
            group=str(names[k]),
            read_log_mel=_frames(frames, k),
        )
        for k in range(n)
    ]


def _column(arrays: Mapping[str, NDArray[Any]], key: str, path: Path) -> NDArray[Any]:
    if key not in arrays:
        raise EvaluationError(f"{path}: no array {key!r}; a file of clips has log_mel_db, machine_id and anomalous")
    return arrays[key]


def _frames(frames: NDArray[Any], k: int) -> Callable[[], NDArray[np.float32]]:
    return lambda: np.ascontiguousarray(frames[k], np.float32)
