"""Calibration: how often held-out normal sound exceeds a threshold that promises a rate.

The agent's score is `-log10 p`, so every nominal rate has its threshold. Beside it, a threshold at the quantile of the
very clips that were fitted on, as is often done.

The mean counts every machine alike. A machine whose clips were cut from one or two recordings shows in the points but
not in the mean: nothing can tell from them how its next recording will differ. Beside the mean stands what all clips of
all machines give together.
"""

from collections.abc import Sequence

import numpy as np

from training_hub.evaluation.clips import Machine, Split, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.judging import fit
from training_hub.evaluation.metrics import rate_factor
from training_hub.evaluation.report import CalibrationPoint, Figure, Row, Skipped
from training_hub.evaluation.scorer import FitContext, System

NAME = "calibration"
NOMINAL = (0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
JUDGED = (0.1, 0.05)
CLIP_COUNTS = (10, 20, 40)
LEAST_TEST_CLIPS = 5
LEAST_RECORDINGS = 4
MOST_DRAWS = 5  # each tests on all other clips, so that more add little
RESUBSTITUTED = "lw_own"


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every machine with enough normal clips, 10, 20 and 40 of them for commissioning."""
    ours = next(system for system in evaluation.ours if system.name == "ours")
    plain = next((system for system in evaluation.baselines if system.name == RESUBSTITUTED), None)
    for k in CLIP_COUNTS:
        evaluation.progress(f"{NAME}: {k} clips")
        _judge(evaluation, findings, ours, k, resubstituted=False)
        if plain is not None:
            _judge(evaluation, findings, plain, k, resubstituted=True)


def _judge(evaluation: Evaluation, findings: Findings, system: System, k: int, *, resubstituted: bool) -> None:
    name = f"{system.name}, {k} clips"
    rates: dict[float, list[float]] = {nominal: [] for nominal in NOMINAL}
    pooled = dict.fromkeys(NOMINAL, 0)
    judged = refused = tested = pooled_clips = 0
    for machine in evaluation.data.machines:
        splits = _draws(evaluation, machine, k)
        if not splits:
            if not resubstituted:
                what = f"{NAME} {k} clips, {machine.machine_id}"
                findings.skipped.append(Skipped(what=what, reason=f"{len(machine.normals)} normal clips are too few"))
            continue
        counts, lost = _exceedances(evaluation, system, machine, splits, resubstituted=resubstituted)
        refused += lost
        clips = counts[NOMINAL[0]][1]
        if not clips:
            continue
        pooled_clips += clips
        for nominal, (above, _) in counts.items():
            pooled[nominal] += above
        label = f"{machine.machine_type}/{machine.machine_id}"
        findings.calibration += [_point(name, label, n, above / clips, clips) for n, (above, _) in counts.items()]
        fewest = min(len({clip.group for clip in split.commission}) for split in splits)
        if fewest < LEAST_RECORDINGS:
            reason = f"commissioned on {fewest} recordings; {LEAST_RECORDINGS} are needed to tell how recordings differ"
            findings.skipped.append(Skipped(what=f"{NAME} {k} clips, {label}, from the mean", reason=reason))
            continue
        judged, tested = judged + 1, tested + clips
        for nominal, (above, _) in counts.items():
            rates[nominal].append(above / clips)
    if pooled_clips:
        found = [Figure(name=f"rate_at_{nominal:g}", value=above / pooled_clips) for nominal, above in pooled.items()]
        factor = max(rate_factor(pooled[nominal] / pooled_clips, nominal, pooled_clips) for nominal in JUDGED)
        findings.rows.append(
            Row(
                protocol=NAME,
                case=f"{k} clips",
                machine_type="all",
                machine_id="pooled",
                system=system.name,
                normal_clips=pooled_clips,
                figures=(*found, Figure(name="factor", value=factor)),
                note=f"every clip alike, machines of fewer than {LEAST_RECORDINGS} recordings included",
            )
        )
    if not judged:
        return
    means = {nominal: float(np.mean(found)) for nominal, found in rates.items()}
    findings.calibration += [_point(name, "all", nominal, rate, tested) for nominal, rate in means.items()]
    figures = [Figure(name=f"rate_at_{nominal:g}", value=rate) for nominal, rate in means.items()]
    worst = max(rate_factor(means[nominal], nominal, tested) for nominal in JUDGED)
    findings.rows.append(
        Row(
            protocol=NAME,
            case=f"{k} clips",
            machine_type="all",
            machine_id="mean",
            system=system.name,
            draws=min(MOST_DRAWS, evaluation.effort.draws),
            refused=refused,
            normal_clips=tested,
            figures=(*figures, Figure(name="factor", value=worst)),
            note=f"{judged} machines" + ("; threshold at the quantile of the fitted clips" if resubstituted else ""),
        )
    )


def _draws(evaluation: Evaluation, machine: Machine, k: int) -> list[Split]:
    found = []
    for draw in range(min(MOST_DRAWS, evaluation.effort.draws)):
        rng = rng_for(evaluation.seed, NAME, machine.machine_type, machine.machine_id, k, draw)
        try:
            split = draw_split(machine.normals, k, rng)
        except EvaluationError:
            return []
        if len(split.test) >= LEAST_TEST_CLIPS:
            found.append(split)
    return found


def _exceedances(
    evaluation: Evaluation, system: System, machine: Machine, splits: Sequence[Split], *, resubstituted: bool
) -> tuple[dict[float, tuple[int, int]], int]:
    """For each nominal rate, held-out normal clips above the threshold, and how many there were."""
    above = dict.fromkeys(NOMINAL, 0)
    clips = refused = 0
    scorer = system.make()
    siblings = evaluation.sibling_clips(machine)
    for number, split in enumerate(splits):
        context = FitContext(machine.machine_type, machine.machine_id, siblings, seed=evaluation.seed + number)
        normals = evaluation.listener.hear_all(split.commission)
        if not fit(scorer, normals, context):
            refused += 1
            continue
        scores = np.array([scorer.score(clip) for clip in evaluation.listener.hear_all(split.test)])
        own = np.array([scorer.score(clip) for clip in normals]) if resubstituted else None
        for nominal in NOMINAL:
            threshold = -np.log10(nominal) if own is None else np.quantile(own, 1.0 - nominal)
            above[nominal] += int((scores >= threshold).sum())
        clips += len(scores)
    return {nominal: (count, clips) for nominal, count in above.items()}, refused


def _point(system: str, machine: str, nominal: float, realised: float, clips: int) -> CalibrationPoint:
    return CalibrationPoint(system=system, machine=machine, nominal=nominal, realised=realised, clips=clips)
