"""Fit a system on draws of normal clips, score the rest, turn scores into rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.detection.errors import CommissioningError
from training_hub.evaluation.clips import EvalClip, Machine, Split, rng_for
from training_hub.evaluation.context import Evaluation
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.metrics import Interval, ScoreSet, auc, bootstrap, partial_auc
from training_hub.evaluation.report import Figure, Row, ScoreSample
from training_hub.evaluation.scorer import FitContext, Scorer, System, score_clips

Hear = Callable[[EvalClip], HeardClip]


@dataclass(frozen=True)
class Case:
    """What is judged: the protocol, what was done to the sound, and what a reader must know."""

    protocol: str
    name: str
    note: str = ""


@dataclass
class Judged:
    """Scores of one system on one machine and case.

    Attributes:
        draws: One set of scores per draw that could be commissioned.
        refused: Draws that commissioning refused.
    """

    draws: list[ScoreSet] = field(default_factory=list)
    refused: int = 0


def judge(
    evaluation: Evaluation,
    system: System,
    machine: Machine,
    splits: Sequence[Split],
    *,
    anomalies: Sequence[EvalClip],
    hear_normals: Hear,
    siblings: tuple[HeardClip, ...] | None = None,
) -> Judged:
    """Commission on each split's clips and score its test clips and all anomalies.

    Args:
        evaluation: Everything else.
        system: What to judge; one that trains for long is given fewer splits.
        machine: The machine.
        splits: Draws.
        anomalies: Anomalous clips to test on.
        hear_normals: How clips are heard.
        siblings: Normal clips of other machines; those of the data if not given.
    """
    (judged,) = judge_cases(
        evaluation,
        system,
        machine,
        splits,
        anomalies=anomalies,
        hear_normals=hear_normals,
        hear_tests=(hear_normals,),
        siblings=siblings,
    )
    return judged


def judge_cases(
    evaluation: Evaluation,
    system: System,
    machine: Machine,
    splits: Sequence[Split],
    *,
    anomalies: Sequence[EvalClip],
    hear_normals: Hear,
    hear_tests: Sequence[Hear],
    siblings: tuple[HeardClip, ...] | None = None,
) -> list[Judged]:
    """The same with test clips heard in several ways, each with the same fitted system.

    Args:
        evaluation: Everything else.
        system: What to judge.
        machine: The machine.
        splits: Draws.
        anomalies: Anomalous clips to test on.
        hear_normals: How commissioning clips are heard.
        hear_tests: Ways in which test clips are heard.
        siblings: Normal clips of other machines; those of the data if not given.

    Returns:
        One for each way.
    """
    others = evaluation.sibling_clips(machine) if siblings is None else siblings
    scorer, judged = system.make(), [Judged() for _ in hear_tests]
    for number, split in enumerate(splits[: evaluation.effort.slow_draws] if system.slow else splits):
        context = FitContext(machine.machine_type, machine.machine_id, others, seed=evaluation.seed + number)
        fitted = fit(scorer, [hear_normals(clip) for clip in split.commission], context)
        for item, hear in zip(judged, hear_tests, strict=True):
            if fitted:
                tests = [hear(clip) for clip in (*split.test, *anomalies)]
                item.draws.append(_named(score_clips(scorer, tests), machine))
            else:
                item.refused += 1
    return judged


def fit(scorer: Scorer, normals: Sequence[HeardClip], context: FitContext) -> bool:
    """Fit, and say whether the clips were accepted: the agent may refuse to be commissioned on them."""
    try:
        scorer.fit(normals, context)
    except CommissioningError:
        return False
    return True


def _named(scores: ScoreSet, machine: Machine) -> ScoreSet:
    """Groups with their machine's name, so that machines never share one."""
    return ScoreSet(scores.scores, scores.anomalous, tuple(f"{machine.machine_id}/{group}" for group in scores.groups))


def detection_row(evaluation: Evaluation, case: Case, system: System, machine: Machine, judged: Judged) -> Row | None:
    """AUC and partial AUC of one machine; None where nothing could be judged."""
    return _row(evaluation, case, system, (machine.machine_type, machine.machine_id), [judged])


def mean_rows(
    evaluation: Evaluation, case: Case, system: System, machine_type: str, judged: Sequence[Judged]
) -> list[Row]:
    """The mean over a type's machines, and the worst of them, where there are several."""
    told = [item for item in judged if item.draws]
    if len(told) < 2:
        return []
    worst = min(told, key=lambda item: float(np.mean([auc(d.anomalous, d.scores) for d in item.draws])))
    rows = (
        _row(evaluation, case, system, (machine_type, "mean"), told),
        _row(evaluation, case, system, (machine_type, "worst"), [worst]),
    )
    return [row for row in rows if row is not None]


def _row(
    evaluation: Evaluation, case: Case, system: System, machine: tuple[str, str], judged: Sequence[Judged]
) -> Row | None:
    machine_type, machine_id = machine
    draws = [draw for item in judged for draw in item.draws]
    if not draws or not all(draw.has_both for draw in draws):
        return None
    rounds = evaluation.effort.rounds
    key = (case.protocol, case.name, system.name, machine_type, machine_id)
    area = bootstrap(draws, auc, rng_for(evaluation.seed, "auc", *key), rounds=rounds)
    partial = bootstrap(draws, partial_auc, rng_for(evaluation.seed, "pauc", *key), rounds=rounds)
    return Row(
        protocol=case.protocol,
        case=case.name,
        machine_type=machine_type,
        machine_id=machine_id,
        system=system.name,
        draws=len(draws),
        refused=sum(item.refused for item in judged),
        normal_clips=int((~draws[0].anomalous).sum()),
        anomalous_clips=int(draws[0].anomalous.sum()),
        figures=(_figure("auc", area), _figure("pauc", partial)),
        note=case.note,
    )


def _figure(name: str, interval: Interval) -> Figure:
    return Figure(name=name, value=interval.value, low=interval.low, high=interval.high)


def sample_of(case: Case, system: System, machine: Machine, judged: Judged) -> ScoreSample | None:
    """The scores of the first draw."""
    if not judged.draws:
        return None
    first = judged.draws[0]
    return ScoreSample(
        protocol=case.protocol,
        case=case.name,
        machine=f"{machine.machine_type}/{machine.machine_id}",
        system=system.name,
        normal=tuple(first.scores[~first.anomalous].tolist()),
        anomalous=tuple(first.scores[first.anomalous].tolist()),
    )
