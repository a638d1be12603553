"""Beside methods that need labelled faults: both halves of the recordings serve for training and test in turn.

The agent is commissioned on the training half's normals alone; the supervised methods see its anomalies too.
"""

from training_hub.evaluation.clips import EvalClip, Machine, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.judging import Case, Judged, detection_row, fit
from training_hub.evaluation.report import Skipped
from training_hub.evaluation.scorer import Family, FitContext, System, score_clips

NAME = "supervised"
CASE = "two folds by recording"
_LEAST_GROUPS = 4


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Machines whose normals and anomalies both come from four recordings or more."""
    systems = [
        *(system for system in evaluation.ours if system.name == "ours"),
        *(system for system in evaluation.baselines if system.family is Family.SUPERVISED),
    ]
    for machine in evaluation.data.machines:
        if min(machine.groups, len({clip.group for clip in machine.anomalies})) < _LEAST_GROUPS:
            if machine.anomalies:
                reason = "too few recordings to split normals and anomalies by recording"
                findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}", reason=reason))
            continue
        for system in systems:
            if system.needs_audio and machine.normals[0].read_audio is None:
                findings.skipped.append(Skipped(what=f"{NAME}, {system.name}, {machine.machine_id}", reason="no audio"))
                continue
            evaluation.progress(f"{NAME}: {machine.machine_id}, {system.name}")
            judged = _judge(evaluation, system, machine)
            row = detection_row(evaluation, Case(NAME, CASE), system, machine, judged)
            if row is not None:
                findings.rows.append(row)


def _judge(evaluation: Evaluation, system: System, machine: Machine) -> Judged:
    normals, anomalies = evaluation.some(machine.normals), evaluation.some(machine.anomalies)
    halves = [
        _halve(evaluation, machine, clips, label) for clips, label in ((normals, "normal"), (anomalies, "anomaly"))
    ]
    judged = Judged()
    for train in (0, 1):
        context = FitContext(
            machine.machine_type,
            machine.machine_id,
            evaluation.sibling_clips(machine),
            anomalies=tuple(evaluation.listener.hear_all(halves[1][train])) if _may_see(system) else (),
            seed=evaluation.seed,
        )
        scorer = system.make()
        if not fit(scorer, evaluation.listener.hear_all(halves[0][train]), context):
            judged.refused += 1
            continue
        tests = evaluation.listener.hear_all([*halves[0][1 - train], *halves[1][1 - train]])
        judged.draws.append(score_clips(scorer, tests))
    return judged


def _may_see(system: System) -> bool:
    return system.family is Family.SUPERVISED


def _halve(
    evaluation: Evaluation, machine: Machine, clips: tuple[EvalClip, ...], label: str
) -> tuple[list[EvalClip], list[EvalClip]]:
    groups = sorted({clip.group for clip in clips})
    order = rng_for(evaluation.seed, NAME, machine.machine_id, label).permutation(len(groups))
    first = {groups[i] for i in order[: len(groups) // 2]}
    return [clip for clip in clips if clip.group in first], [clip for clip in clips if clip.group not in first]
