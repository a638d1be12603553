"""Robustness: commissioned in quiet, then heard with another gain, in noise, through another microphone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation import mixing
from training_hub.evaluation.clips import EvalClip, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.judging import Case, Judged, detection_row, judge_cases, mean_rows
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.protocols.first_shot import MAIN_CLIPS, draws, remarks
from training_hub.evaluation.report import Figure, Row

NAME = "robustness"
PLAIN = "unchanged"
SYSTEMS = ("ours", "ours_generic", "lw_shared", "gmm", "knn_emb")
FALLBACK_CLIPS = 4
FloatArray = NDArray[np.float32]
Change = Callable[[EvalClip, np.random.Generator], EvalClip]


def _gain(gain_db: float) -> Change:
    def change(clip: EvalClip, rng: np.random.Generator) -> EvalClip:
        name = f"{clip.name} {gain_db:+g} dB gain"
        if clip.read_audio is not None:
            read = clip.read_audio
            return clip.with_audio(name, lambda: mixing.with_gain(read(), gain_db))
        frames = clip.read_log_mel
        assert frames is not None  # a clip has one of the two
        return clip.with_log_mel(name, lambda: frames() + np.float32(gain_db))

    return change


def _flat_noise(snr_db: float) -> Change:
    def change(clip: EvalClip, rng: np.random.Generator) -> EvalClip:
        name, seed = f"{clip.name} flat noise {snr_db:g} dB", int(rng.integers(1 << 31))
        if clip.read_audio is not None:
            return clip.with_audio(name, lambda: _noisy(clip, snr_db, seed))
        frames = clip.read_log_mel
        assert frames is not None  # a clip has one of the two
        return clip.with_log_mel(
            name, lambda: mixing.log_mel_with_flat_noise(frames(), snr_db, np.random.default_rng(seed))
        )

    return change


def _noisy(clip: EvalClip, snr_db: float, seed: int) -> FloatArray:
    assert clip.read_audio is not None  # the caller asked
    audio = clip.read_audio()
    return mixing.mix_at_snr(audio, mixing.white_noise(len(audio), np.random.default_rng(seed)), snr_db)


def _tilt(db_per_octave: float) -> Change:
    def change(clip: EvalClip, rng: np.random.Generator) -> EvalClip:
        name = f"{clip.name} {db_per_octave:+g} dB per octave"
        if clip.read_audio is not None:
            read = clip.read_audio
            return clip.with_audio(name, lambda: mixing.with_tilt(read(), db_per_octave))
        frames = clip.read_log_mel
        assert frames is not None  # a clip has one of the two
        return clip.with_log_mel(name, lambda: mixing.log_mel_with_tilt(frames(), db_per_octave))

    return change


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "gain +6 dB": _gain(6.0),
        "gain -6 dB": _gain(-6.0),
        "flat noise 30 dB below": _flat_noise(30.0),
        "tilt +0.5 dB per octave": _tilt(0.5),
        "tilt -0.5 dB per octave": _tilt(-0.5),
    }
)


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every change on every machine with anomalies, commissioned on 10 unchanged clips (4 where there are fewer)."""
    systems = [system for system in (*evaluation.ours, *evaluation.baselines) if system.name in SYSTEMS]
    cases: dict[str, Change | None] = {PLAIN: None, **CHANGES}
    by_type: dict[tuple[str, str, str], list[Judged]] = {}
    for machine in (machine for machine in evaluation.data.machines if machine.anomalies):
        evaluation.progress(f"{NAME}: {machine.machine_id}")
        splits = draws(evaluation, machine, MAIN_CLIPS) or draws(evaluation, machine, FALLBACK_CLIPS)
        splits = [replace(split, test=evaluation.some(split.test)) for split in splits]
        hear = [_Changed(evaluation, case, change) for case, change in cases.items()]
        note = remarks(evaluation, machine, splits)
        for system in systems:
            judged = judge_cases(
                evaluation,
                system,
                machine,
                splits,
                anomalies=evaluation.some(machine.anomalies),
                hear_normals=evaluation.listener.hear,
                hear_tests=hear,
            )
            rows = [
                detection_row(evaluation, Case(NAME, case, note), system, machine, found)
                for case, found in zip(cases, judged, strict=True)
            ]
            findings.rows += _with_changes([row for row in rows if row is not None])
            for case, found in zip(cases, judged, strict=True):
                by_type.setdefault((machine.machine_type, case, system.name), []).append(found)
    for (machine_type, case, name), found_all in by_type.items():
        system = next(system for system in systems if system.name == name)
        findings.rows += mean_rows(evaluation, Case(NAME, case), system, machine_type, found_all)


class _Changed:
    """Hears every clip changed, once."""

    def __init__(self, evaluation: Evaluation, case: str, change: Change | None) -> None:
        self._evaluation, self._case, self._change = evaluation, case, change
        self._heard: dict[str, HeardClip] = {}

    def __call__(self, clip: EvalClip) -> HeardClip:
        if self._change is None:
            return self._evaluation.listener.hear(clip)
        if clip.name not in self._heard:
            rng = rng_for(self._evaluation.seed, NAME, self._case, clip.name)
            self._heard[clip.name] = self._evaluation.listener.hear(self._change(clip, rng), remember=False)
        return self._heard[clip.name]


def _with_changes(rows: list[Row]) -> list[Row]:
    """Adds by how much the AUC differs from that of the unchanged sound, which comes first."""
    changed = []
    for row in rows:
        area, plain = row.figure("auc"), rows[0].figure("auc")
        assert area is not None  # every detection row has it
        assert plain is not None
        changed.append(
            row.model_copy(update={"figures": (*row.figures, Figure(name="auc_change", value=area - plain))})
        )
    return changed
