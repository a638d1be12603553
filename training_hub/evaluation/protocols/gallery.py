"""Pictures for the page: where clips lie among each other, and what a few scores are made of."""

import base64

import numpy as np

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.errors import CommissioningError
from training_hub.evaluation.baselines.features import mean_embedding
from training_hub.evaluation.clips import EvalClip, Machine, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.ours import AgentScorer
from training_hub.evaluation.report import Band, Example, ScatterPoint
from training_hub.evaluation.scorer import FitContext
from training_hub.evaluation.spectrogram import spectrogram_png

NAME = "gallery"
_CLIPS_PER_MACHINE = 40
_EXAMPLE_MACHINES = 4


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Scatter of embeddings, and a normal and an anomalous example of some machines."""
    evaluation.progress(NAME)
    findings.scatter += _scatter(evaluation)
    with_anomalies = [machine for machine in evaluation.data.machines if machine.anomalies]
    for machine in with_anomalies[:_EXAMPLE_MACHINES]:
        findings.examples += _examples(evaluation, machine)


def _scatter(evaluation: Evaluation) -> list[ScatterPoint]:
    clips: list[tuple[EvalClip, str]] = []
    for machine in evaluation.data.machines:
        clips += [(clip, machine.machine_type) for clip in machine.normals[:_CLIPS_PER_MACHINE]]
        clips += [(clip, machine.machine_type) for clip in machine.anomalies[:_CLIPS_PER_MACHINE]]
    clips += [(clip, "background") for clip in evaluation.data.backgrounds[:_CLIPS_PER_MACHINE]]
    heard = [(evaluation.listener.hear(clip), label) for clip, label in clips]
    heard = [(clip, label) for clip, label in heard if len(clip.embeddings)]
    if len(heard) < 3 or heard[0][0].embeddings.shape[1] < 2:
        return []
    values = np.array([mean_embedding(clip) for clip, _ in heard])
    centred = values - values.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    return [
        ScatterPoint(x=float(x), y=float(y), label=label, anomalous=clip.clip.is_anomalous)
        for (x, y), (clip, label) in zip(places.tolist(), heard, strict=True)
    ]


def _examples(evaluation: Evaluation, machine: Machine) -> list[Example]:
    k = max(3, min(20, len(machine.normals) // 2))
    rng = rng_for(evaluation.seed, NAME, machine.machine_id)
    try:
        split = draw_split(machine.normals, k, rng)
    except EvaluationError:
        return []
    scorer = next(system for system in evaluation.ours if system.name == "ours").make()
    assert isinstance(scorer, AgentScorer)  # ours is
    context = FitContext(machine.machine_type, machine.machine_id, evaluation.sibling_clips(machine))
    try:
        scorer.commission(evaluation.listener.hear_all(split.commission), context, AlarmBudget())
    except CommissioningError:
        return []
    chosen = (split.test[0], machine.anomalies[int(rng.integers(len(machine.anomalies)))])
    return [_example(evaluation, scorer, clip) for clip in chosen]


def _example(evaluation: Evaluation, scorer: AgentScorer, clip: EvalClip) -> Example:
    window = evaluation.listener.hear(clip).windows[0]
    verdict = scorer.scorer.score(window.features, window.level)
    kind = "anomaly" if clip.is_anomalous else "held-out normal"
    return Example(
        title=f"{clip.machine_type}/{clip.machine_id}, {kind}",
        score=verdict.score,
        threshold=verdict.threshold,
        png_base64=base64.b64encode(spectrogram_png(window.features.log_mel_db)).decode("ascii"),
        bands=tuple(Band(centre_hz=band.centre_hz, contribution=band.contribution) for band in verdict.bands),
    )
