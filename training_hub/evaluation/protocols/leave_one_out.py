"""Leave one machine out: each in turn is new, its type known from the others, commissioned on half its clips."""

import numpy as np

from training_hub.evaluation.clips import Machine, Split, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.judging import Case, Judged, detection_row, judge, mean_rows
from training_hub.evaluation.protocols.first_shot import remarks
from training_hub.evaluation.report import Skipped
from training_hub.evaluation.scorer import System

NAME = "leave_one_machine_out"
CASE = "half of the clips"
MOST_CLIPS = 60
_BASELINES = ("loudness", "lw_shared", "lw_own", "gmm", "lof", "knn_emb")


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Detection where there are anomalies; every machine is at least commissioned."""
    systems = (*evaluation.ours[:2], *(system for system in evaluation.baselines if system.name in _BASELINES))
    splits = {machine.machine_id: _halves(evaluation, machine) for machine in evaluation.data.machines}
    for machine in evaluation.data.machines:
        if not splits[machine.machine_id]:
            reason = f"{len(machine.normals)} normal clips of {machine.groups} recordings cannot be halved"
            findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}", reason=reason))
    for system in systems:
        evaluation.progress(f"{NAME}: {system.name}")
        by_type: dict[str, list[Judged]] = {}
        for machine in evaluation.data.machines:
            if not splits[machine.machine_id] or not machine.anomalies:
                continue
            judged = _judge(evaluation, system, machine, splits[machine.machine_id])
            note = remarks(evaluation, machine, splits[machine.machine_id])
            row = detection_row(evaluation, Case(NAME, CASE, note), system, machine, judged)
            if row is not None:
                findings.rows.append(row)
            by_type.setdefault(machine.machine_type, []).append(judged)
        for machine_type, judged_all in by_type.items():
            findings.rows += mean_rows(evaluation, Case(NAME, CASE), system, machine_type, judged_all)


def _halves(evaluation: Evaluation, machine: Machine) -> list[Split]:
    k = min(MOST_CLIPS, len(machine.normals) // 2)
    found = []
    for draw in range(evaluation.effort.draws):
        rng = rng_for(evaluation.seed, NAME, machine.machine_type, machine.machine_id, draw)
        try:
            found.append(draw_split(machine.normals, k, rng))
        except EvaluationError:
            return []
    return found if np.all([len(split.test) for split in found]) and k >= 3 else []


def _judge(evaluation: Evaluation, system: System, machine: Machine, splits: list[Split]) -> Judged:
    return judge(
        evaluation, system, machine, splits, anomalies=machine.anomalies, hear_normals=evaluation.listener.hear
    )
