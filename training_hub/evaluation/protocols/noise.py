"""Noise: the machine amid other sounds, its own loudness taken away.

Another recording, of background for one half of the clips and of a compressor for the other, is added to every clip at
the ratio asked for; the sum is brought to one level and then changed in gain at random: loudness tells nothing, at any
ratio. No noise recording is used twice, so commissioning and test never share one.
"""

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation.clips import EvalClip, Machine, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.judging import Case, detection_row, judge, sample_of
from training_hub.evaluation.mixing import at_level, fit_length, mix_at_snr, power, with_gain
from training_hub.evaluation.protocols.first_shot import remarks
from training_hub.evaluation.report import Skipped

NAME = "noise"
COMMISSION_CLIPS = 30
GAIN_DB = 6.0
MACHINE_TYPES = ("uav_quadrotor", "metal_lathe")
NOISE_TYPE = "air_compressor"
_BASELINES = (
    "loudness", "lw_own", "gmm", "ocsvm", "lof", "ocsvm_emb", "lof_emb", "knn", "knn_emb", "autoencoder",
)  # fmt: skip
_AUDIBLE = 1e-8
FloatArray = NDArray[np.float32]


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Each machine at each ratio."""
    systems = (
        *evaluation.ours[:1],
        *(system for system in evaluation.baselines if system.name in _BASELINES),
    )
    for machine_type in MACHINE_TYPES:
        machine = evaluation.data.find(machine_type)
        if machine is None or not machine.anomalies or not evaluation.data.backgrounds:
            reason = "no machine with normals and anomalies, or no background"
            findings.skipped.append(Skipped(what=f"{NAME}, {machine_type}", reason=reason))
            continue
        for snr_db in evaluation.effort.snrs_db:
            evaluation.progress(f"{NAME}: {machine_type} at {snr_db:+g} dB")
            mixed = noisy_machine(evaluation, machine, snr_db)
            heard = {clip.name: evaluation.listener.hear(clip, remember=False) for clip in _all(mixed)}
            splits = [
                draw_split(
                    mixed.normals,
                    min(COMMISSION_CLIPS, len(mixed.normals) // 2),
                    rng_for(evaluation.seed, NAME, machine_type, draw),
                )
                for draw in range(evaluation.effort.draws)
            ]
            case = Case(NAME, f"SNR {snr_db:+g} dB", remarks(evaluation, machine, splits))
            for system in systems:
                judged = judge(
                    evaluation,
                    system,
                    mixed,
                    splits,
                    anomalies=mixed.anomalies,
                    hear_normals=lambda clip, heard=heard: heard[clip.name],  # type: ignore[misc]  # mypy cannot infer a lambda with a bound default
                    siblings=(),
                )
                row = detection_row(evaluation, case, system, machine, judged)
                if row is not None:
                    findings.rows.append(row)
                sample = sample_of(case, system, machine, judged)
                if system.name in ("ours", "lw_own") and sample is not None:
                    findings.samples.append(sample)


def noise_clips(evaluation: Evaluation, count: int) -> list[EvalClip]:
    """Noise for `count` clips, half of it compressors as far as there are so many, no recording twice.

    Raises:
        EvaluationError: Fewer recordings than clips.
    """
    compressors = [clip for machine in evaluation.data.of_type(NOISE_TYPE) for clip in machine.normals]
    compressors = compressors[: count // 2]
    backgrounds = audible_backgrounds(evaluation)
    order = rng_for(evaluation.seed, NAME, "backgrounds").permutation(len(backgrounds))
    chosen = [*compressors, *(backgrounds[i] for i in order)][:count]
    if len(chosen) < count:
        raise EvaluationError(f"{len(chosen)} noise recordings for {count} clips; none may be used twice")
    return chosen


def audible_backgrounds(evaluation: Evaluation) -> list[EvalClip]:
    """Backgrounds that are not all but silent throughout."""
    return [clip for clip in evaluation.data.backgrounds if power(_audio(clip)) > _AUDIBLE]


def noisy_machine(evaluation: Evaluation, machine: Machine, snr_db: float) -> Machine:
    """The machine with a noise of its own in every clip.

    Raises:
        EvaluationError: Fewer noise recordings than clips.
    """
    clips = (*evaluation.some(machine.normals), *evaluation.some(machine.anomalies))
    noises = noise_clips(evaluation, len(clips))
    order = rng_for(evaluation.seed, NAME, "order", machine.machine_id, snr_db).permutation(len(noises))
    mixed = [
        _mixed(clip, noises[place], snr_db, rng_for(evaluation.seed, NAME, clip.name, snr_db))
        for clip, place in zip(clips, order, strict=True)
    ]
    return Machine(
        machine.machine_type,
        machine.machine_id,
        tuple(clip for clip in mixed if clip.is_normal),
        tuple(clip for clip in mixed if clip.is_anomalous),
    )


def _mixed(clip: EvalClip, noise: EvalClip, snr_db: float, rng: np.random.Generator) -> EvalClip:
    gain_db = float(rng.uniform(-GAIN_DB, GAIN_DB))
    seed = int(rng.integers(1 << 31))

    def read() -> FloatArray:
        signal, other = _audio(clip), _audio(noise)
        other = fit_length(other, len(signal), np.random.default_rng(seed))
        return with_gain(at_level(mix_at_snr(signal, other, snr_db)), gain_db)

    return clip.with_audio(f"{clip.name} {snr_db:+g} dB", read)


def _audio(clip: EvalClip) -> FloatArray:
    if clip.read_audio is None:
        raise EvaluationError(f"clip {clip.name}: only sounds can be mixed, not frames")
    return clip.read_audio()


def _all(machine: Machine) -> tuple[EvalClip, ...]:
    return (*machine.normals, *machine.anomalies)
