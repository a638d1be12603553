"""int8 against float: the same draws heard through the shipped encoder and the float one that it was made from."""

import numpy as np

from training_hub.evaluation.clips import Machine, Split
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.judging import Case, Judged, detection_row, judge
from training_hub.evaluation.listen import Listener
from training_hub.evaluation.metrics import auc
from training_hub.evaluation.protocols.first_shot import MAIN_CLIPS, draws, remarks
from training_hub.evaluation.protocols.robustness import FALLBACK_CLIPS
from training_hub.evaluation.report import Figure, Row, Skipped
from training_hub.evaluation.scorer import System

NAME = "int8_vs_float"
CASE = "int8 less float"
SYSTEMS = ("ours", "knn_emb", "lof_emb")


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every machine with anomalies, for the agent and for detectors that use embeddings alone."""
    if evaluation.float_listener is None:
        findings.skipped.append(Skipped(what=NAME, reason="no float encoder given (--float-encoder)"))
        return
    systems = [system for system in (*evaluation.ours, *evaluation.baselines) if system.name in SYSTEMS]
    for system in systems:
        evaluation.progress(f"{NAME}: {system.name}")
        changes = []
        for machine in (machine for machine in evaluation.data.machines if machine.anomalies):
            splits = draws(evaluation, machine, MAIN_CLIPS) or draws(evaluation, machine, FALLBACK_CLIPS)
            if not splits:
                continue
            int8 = _judge(evaluation, evaluation.listener, system, machine, splits)
            plain = _judge(evaluation, evaluation.float_listener, system, machine, splits)
            note = remarks(evaluation, machine, splits)
            row = detection_row(evaluation, Case(NAME, CASE, note), system, machine, int8)
            if row is None or not plain.draws:
                continue
            change = float(np.mean([auc(d.anomalous, d.scores) for d in int8.draws])) - float(
                np.mean([auc(d.anomalous, d.scores) for d in plain.draws])
            )
            changes.append(change)
            findings.rows.append(
                row.model_copy(update={"figures": (*row.figures, Figure(name="auc_change", value=change))})
            )
        if changes:
            findings.rows.append(_summary(system.name, changes))


def _judge(evaluation: Evaluation, listener: Listener, system: System, machine: Machine, splits: list[Split]) -> Judged:
    siblings = tuple(listener.hear(clip) for other in evaluation.data.siblings(machine) for clip in other.normals)
    return judge(
        evaluation,
        system,
        machine,
        splits,
        anomalies=machine.anomalies,
        hear_normals=listener.hear,
        siblings=siblings,
    )


def _summary(system: str, changes: list[float]) -> Row:
    return Row(
        protocol=NAME,
        case=CASE,
        machine_type="all",
        machine_id="mean",
        system=system,
        draws=len(changes),
        figures=(
            Figure(name="mean_change", value=float(np.mean(np.abs(changes)))),
            Figure(name="largest_change", value=float(np.max(np.abs(changes)))),
        ),
    )
