"""First shot: commission on a few clips of a machine, as on the first day at a site."""

from dataclasses import replace

from training_hub.evaluation.clips import Machine, Split, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.judging import Case, Judged, detection_row, judge, mean_rows, sample_of
from training_hub.evaluation.report import Skipped
from training_hub.evaluation.scorer import Family, System

NAME = "first_shot"
MAIN_CLIPS = 10


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every machine with anomalies, every number of clips; variants and baselines at 10 clips."""
    machines = [machine for machine in evaluation.data.machines if machine.anomalies]
    for k in evaluation.effort.clip_counts:
        systems = evaluation.ours[:1]
        if k == MAIN_CLIPS:
            unsupervised = (system for system in evaluation.baselines if system.family is not Family.SUPERVISED)
            systems = (*evaluation.ours, *unsupervised)
        splits = {machine.machine_id: draws(evaluation, machine, k) for machine in machines}
        for machine in machines:
            if not splits[machine.machine_id]:
                reason = f"{len(machine.normals)} normal clips of {machine.groups} recordings leave none to test on"
                findings.skipped.append(Skipped(what=f"{NAME} {k} clips, {machine.machine_id}", reason=reason))
        able = [(machine, splits[machine.machine_id]) for machine in machines if splits[machine.machine_id]]
        for system in systems:
            evaluation.progress(f"{NAME}: {k} clips, {system.name}")
            _judge(evaluation, findings, system, able, k)


def draws(evaluation: Evaluation, machine: Machine, k: int) -> list[Split]:
    """Divisions of a machine's normal clips, the same for every system; none where there are too few clips."""
    found = []
    for draw in range(evaluation.effort.draws):
        rng = rng_for(evaluation.seed, NAME, machine.machine_type, machine.machine_id, k, draw)
        try:
            found.append(draw_split(machine.normals, k, rng))
        except EvaluationError:
            return []
    return found


def _judge(
    evaluation: Evaluation, findings: Findings, system: System, able: list[tuple[Machine, list[Split]]], k: int
) -> None:
    by_type: dict[str, list[Judged]] = {}
    case = Case(NAME, f"{k} clips")
    for machine, splits in able:
        if not _fits(system, machine, evaluation):
            continue
        judged = judge(
            evaluation,
            system,
            machine,
            splits,
            anomalies=machine.anomalies,
            hear_normals=evaluation.listener.hear,
        )
        noted = replace(case, note=remarks(evaluation, machine, splits))
        row = detection_row(evaluation, noted, system, machine, judged)
        if row is not None:
            findings.rows.append(row)
        by_type.setdefault(machine.machine_type, []).append(judged)
        sample = sample_of(case, system, machine, judged)
        if k == MAIN_CLIPS and sample is not None:
            findings.samples.append(sample)
    for machine_type, judged_all in by_type.items():
        findings.rows += mean_rows(evaluation, case, system, machine_type, judged_all)


def _fits(system: System, machine: Machine, evaluation: Evaluation) -> bool:
    """Some baselines need other machines of the type, or are another project's file for one type."""
    if system.name == "softmax_cnn":
        return bool(evaluation.data.siblings(machine))
    if system.name == "peer_ae_int8":
        return machine.normals[0].read_log_mel is not None
    return True


def remarks(evaluation: Evaluation, machine: Machine, splits: list[Split]) -> str:
    """What a reader must know of a machine's figures."""
    notes = []
    if machine.machine_id in evaluation.known_machines:
        notes.append("the encoder heard this machine's normals in training")
    if any(split.within_recording for split in splits):
        notes.append("one recording only: divided in time")
    return "; ".join(notes)
