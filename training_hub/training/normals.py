"""Normal sound of several machines: what a machine type is fitted on."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.resample import StreamResampler
from edge_agent.signal.settings import SignalSettings
from training_hub.training.errors import TrainingError

FloatArray = NDArray[np.float32]

WINDOW_FRAMES = 311
MIN_FRAMES = 60
MAX_NPZ_BYTES = 4 << 30
_MAX_CLIP_S = 3600.0
_BANDS = 128


@dataclass(frozen=True, slots=True, eq=False)
class MachineNormals:
    """Normal windows of one machine in one operating state.

    Attributes:
        machine_type: What it is.
        machine_id: Which one, and the operating state where one is named: states have centres of their own.
        windows: Log-mel frames `[frames, 128]` of each window, dB.
        recordings: `[n]`, the recording that each window is from.
    """

    machine_type: str
    machine_id: str
    windows: tuple[FloatArray, ...]
    recordings: NDArray[np.int64]


def read_normals(sources: Sequence[Path], machine_type: str | None = None) -> tuple[MachineNormals, ...]:
    """Read the normal windows of `manifest.csv` files and `.npz` files of log-mel clips; never anomalies.

    A manifest has the columns `file` (relative to it), `machine_type`, `machine_id`, `condition` (`normal`, or
    `state_*`) and `group` (the recording that a clip was cut from). An `.npz` has `log_mel_db [clips, frames, 128]`,
    `machine_id [clips]` and, if any clip is anomalous, `anomalous [clips]`.

    Args:
        sources: The files.
        machine_type: Rows of other types of a manifest are skipped; None reads all. Clips of an `.npz`, which names no
            type, get this one.

    Raises:
        TrainingError: A file is missing, damaged or holds nothing of the type.
    """
    found: dict[tuple[str, str], list[tuple[str, FloatArray]]] = defaultdict(list)
    for source in sources:
        reader = _read_npz if source.suffix == ".npz" else _read_manifest
        for kind, machine, recording, window in reader(source, machine_type):
            found[kind, machine].append((f"{source}:{recording}", window))
    if not found:
        wanted = f"of type {machine_type!r} " if machine_type else ""
        raise TrainingError(f"no normal clip {wanted}in {', '.join(map(str, sources))}; check the type's name")
    return tuple(
        MachineNormals(
            machine_type=kind,
            machine_id=machine,
            windows=tuple(window for _, window in items),
            recordings=np.unique([name for name, _ in items], return_inverse=True)[1].astype(np.int64),
        )
        for (kind, machine), items in sorted(found.items())
    )


def _read_manifest(path: Path, machine_type: str | None) -> Iterator[tuple[str, str, str, FloatArray]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path}: {error}; give a manifest.csv or an .npz of log-mel clips") from error
    for number, row in enumerate(rows, start=2):
        missing = [key for key in ("file", "machine_type", "machine_id", "condition") if not row.get(key)]
        if missing:
            raise TrainingError(f"{path}:{number}: no {', '.join(missing)}; every row needs them")
        condition = row["condition"]
        if condition != "normal" and not condition.startswith("state_"):
            continue
        if machine_type is not None and row["machine_type"] != machine_type:
            continue
        machine = row["machine_id"] if condition == "normal" else f"{row['machine_id']}:{condition}"
        for window in _windows_of(path.parent / row["file"]):
            yield row["machine_type"], machine, row.get("group") or row["file"], window


def _windows_of(path: Path) -> Iterator[FloatArray]:
    """Windows of 10 s of an audio file's first channel; what is left at its end if it lasts 2 s or more."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > _MAX_CLIP_S * file.samplerate:
                raise TrainingError(f"{path}: longer than an hour; cut it into clips")
            samples = np.ascontiguousarray(file.read(dtype="float32", always_2d=True)[:, 0])
            rate_hz = file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        raise TrainingError(f"{path}: cannot be read as audio ({error}); replace it or remove its row") from error
    if not np.isfinite(samples).all():
        raise TrainingError(f"{path}: holds NaN or infinity; replace it or remove its row")
    target_hz = SignalSettings().sample_rate_hz
    if rate_hz != target_hz:
        resampler = StreamResampler(rate_hz, target_hz)
        samples = np.concatenate([resampler.push(samples), resampler.flush()])
    frames = log_mel_db(samples)
    for first in range(0, len(frames), WINDOW_FRAMES):
        window = frames[first : first + WINDOW_FRAMES]
        if len(window) >= MIN_FRAMES:
            yield window


def _read_npz(path: Path, machine_type: str | None) -> Iterator[tuple[str, str, str, FloatArray]]:
    try:
        arrays = read_npz(path.read_bytes(), name=str(path), max_bytes=MAX_NPZ_BYTES)
    except (OSError, BundleError) as error:
        raise TrainingError(str(error)) from error
    clips, machines = arrays.get("log_mel_db"), arrays.get("machine_id")
    if clips is None or clips.ndim != 3 or clips.shape[2] != _BANDS or clips.dtype.kind != "f":
        raise TrainingError(f"{path}: needs log_mel_db as float [clips, frames, {_BANDS}]")
    if machines is None or machines.shape != (len(clips),):
        raise TrainingError(f"{path}: needs machine_id [clips], one per clip")
    anomalous = arrays.get("anomalous", np.zeros(len(clips), bool))
    if anomalous.shape != (len(clips),):
        raise TrainingError(f"{path}: anomalous must be [clips], one per clip")
    for index in np.flatnonzero(~anomalous.astype(bool)):
        yield machine_type or "unknown", str(machines[index]), str(index), clips[index].astype(np.float32)
