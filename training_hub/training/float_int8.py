"""What quantisation costs a detector: float against int8 on clips, as the agent scores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.arrays import read_npz
from edge_agent.inference.encoder import Encoder
from edge_agent.inference.golden import patches_of
from edge_agent.signal.settings import SignalSettings
from training_hub.evaluation.metrics import auc
from training_hub.training.errors import TrainingError

FALSE_ALARM_SHARE = 0.1
_MAX_CLIP_BYTES = 1 << 30
_FEWEST_NORMALS = 4


@dataclass(frozen=True)
class LabelledClips:
    """Log-mel clips with the truth about them.

    Attributes:
        log_mel_db: `[clips, frames, 128]`, dB.
        anomalous: `[clips]`.
        machine_ids: `[clips]`.
    """

    log_mel_db: NDArray[np.float32]
    anomalous: NDArray[np.bool_]
    machine_ids: NDArray[np.str_]


@dataclass(frozen=True)
class MachineComparison:
    """Float against int8 on one machine.

    Attributes:
        machine_id: The machine.
        auc_float: Area under the ROC curve of the float model.
        auc_int8: The same of the int8 model.
        score_shift: Median of int8 less float scores of normal clips, in standard deviations of the float ones.
        false_alarms_float: Share of normals above the float model's threshold (its 90th percentile of normals).
        false_alarms_transferred: Share of normals whose int8 score is above that same threshold: what comes of a
            threshold that was calibrated on the float model.
    """

    machine_id: str
    auc_float: float
    auc_int8: float
    score_shift: float
    false_alarms_float: float
    false_alarms_transferred: float


def read_clips(path: Path) -> LabelledClips:
    """Clips from an `.npz` with `log_mel_db`, `anomalous` and, where there are several machines, `machine_id`.

    Raises:
        TrainingError: An array is missing or they do not match.
        BundleError: No sound `.npz`.
    """
    try:
        arrays = read_npz(path.read_bytes(), name=str(path), max_bytes=_MAX_CLIP_BYTES)
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; give an .npz of clips") from error
    clips, anomalous = arrays.get("log_mel_db"), arrays.get("anomalous")
    if clips is None or anomalous is None or clips.ndim != 3 or anomalous.shape != clips.shape[:1]:
        raise TrainingError(f"{path}: needs log_mel_db [clips, frames, 128] and anomalous [clips]")
    machines = arrays.get("machine_id", np.full(len(clips), "all"))
    if machines.shape != anomalous.shape:
        raise TrainingError(f"{path}: {machines.shape} machine_id for {len(clips)} clips; give one for each")
    return LabelledClips(clips.astype(np.float32), anomalous.astype(bool), machines.astype(str))


def compare(
    plain: Encoder, int8: Encoder, clips: LabelledClips, settings: SignalSettings
) -> tuple[MachineComparison, ...]:
    """Score the clips of each machine with both models.

    The score is the model's reconstruction error; for an embedding (or logits, taken as one) the cosine distance from
    the mean of every second normal clip, which is then left out of the comparison.

    Raises:
        TrainingError: A machine has fewer than four normal clips, or no anomalous one.
    """
    found = []
    for machine in np.unique(clips.machine_ids):
        own = np.flatnonzero(clips.machine_ids == machine)
        odd = clips.anomalous[own]
        if (~odd).sum() < _FEWEST_NORMALS or not odd.any():
            raise TrainingError(
                f"machine {machine}: {(~odd).sum()} normal and {odd.sum()} anomalous clips; give 4 and 1"
            )
        log_mel = clips.log_mel_db[own]
        reference = np.flatnonzero(~odd)[::2]
        by_float, by_int8 = (_scores(encoder, log_mel, reference, settings) for encoder in (plain, int8))
        judged = np.ones(len(own), bool)
        judged[reference] = plain.spec.output("reconstruction") is not None
        found.append(_compare(str(machine), by_float[judged], by_int8[judged], odd[judged]))
    return tuple(found)


def describe(comparisons: Sequence[MachineComparison]) -> str:
    """A small table."""
    lines = ["machine         AUC float  AUC int8  score shift  false alarms: float  int8, float's threshold"]
    for c in comparisons:
        lines.append(
            f"{c.machine_id[:14]:14}  {c.auc_float:9.4f}  {c.auc_int8:8.4f}  {c.score_shift:+11.3f}  "
            f"{c.false_alarms_float:19.1%}  {c.false_alarms_transferred:23.1%}"
        )
    return "\n".join(lines)


def _scores(
    encoder: Encoder, log_mel_db: NDArray[np.float32], reference: NDArray[np.int64], settings: SignalSettings
) -> NDArray[np.float64]:
    whole = encoder.spec.input.layout == "stacked_frames"
    encoded = [encoder.encode(clip[None] if whole else patches_of(clip, settings)) for clip in log_mel_db]
    errors = [e.errors for e in encoded if e.errors is not None]
    if errors:
        return np.array([error.mean(dtype=np.float64) for error in errors])
    rows = np.array([(e.embeddings if e.embeddings.size else e.logits).mean(axis=0) for e in encoded], np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    centre = rows[reference].mean(axis=0)
    return np.asarray(1.0 - rows @ (centre / max(float(np.linalg.norm(centre)), 1e-12)))


def _compare(
    machine_id: str, plain: NDArray[np.float64], int8: NDArray[np.float64], odd: NDArray[np.bool_]
) -> MachineComparison:
    normal = plain[~odd]
    threshold = np.quantile(normal, 1.0 - FALSE_ALARM_SHARE)
    return MachineComparison(
        machine_id=machine_id,
        auc_float=auc(odd, plain),
        auc_int8=auc(odd, int8),
        score_shift=float(np.median(int8[~odd] - normal)) / max(float(normal.std()), 1e-12),
        false_alarms_float=float((normal > threshold).mean()),
        false_alarms_transferred=float((int8[~odd] > threshold).mean()),
    )
