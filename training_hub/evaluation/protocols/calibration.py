"""Calibration: how often held-out normal sound exceeds a threshold that promises a rate.

The agent's score is `-log10 p`, so every nominal rate has its threshold. Beside it, a threshold at the quantile of the
very clips that were fitted on, as is often done.

Every machine has a row. The mean counts every machine alike. A machine whose clips were cut from one or two recordings
has its row but no part in the mean: nothing can tell from them how its next recording will differ. Beside the mean
stands what all clips of all machines give together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation.clips import Machine, Split, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.judging import fit
from training_hub.evaluation.metrics import Interval, group_interval, rate_factor
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
BoolArray = NDArray[np.bool_]


@dataclass
class _Tested:
    """A machine's held-out normal clips, over all draws.

    Attributes:
        above: `[n, len(NOMINAL)]`, whether each clip exceeds each threshold.
        groups: `[n]`, the recording of each.
        refused: Draws that commissioning refused.
        fewest: Recordings that the poorest draw was commissioned on.
    """

    machine: Machine
    fewest: int
    refused: int = 0
    above: list[BoolArray] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    @property
    def rates(self) -> NDArray[np.float64]:
        """Realised rate for each nominal one."""
        return np.asarray(np.mean(self.above, axis=0))

    @property
    def clips(self) -> int:
        """Clips tested, those of several draws counted each time."""
        return len(self.above)


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
    name, told, in_mean = f"{system.name}, {k} clips", [], []
    for machine in evaluation.data.machines:
        splits = _draws(evaluation, machine, k)
        if not splits:
            if not resubstituted:
                what = f"{NAME} {k} clips, {machine.machine_id}"
                findings.skipped.append(Skipped(what=what, reason=f"{len(machine.normals)} normal clips are too few"))
            continue
        tested = _test(evaluation, system, machine, splits, resubstituted=resubstituted)
        if not tested.clips:
            what = f"{NAME} {k} clips, {machine.machine_id}, {system.name}"
            findings.skipped.append(Skipped(what=what, reason=f"commissioning refused all {tested.refused} draws"))
            continue
        told.append(tested)
        label = f"{machine.machine_type}/{machine.machine_id}"
        findings.calibration += _points(name, label, tested.rates, tested.clips)
        findings.rows.append(_machine_row(evaluation, system, k, tested))
        if tested.fewest >= LEAST_RECORDINGS:
            in_mean.append(tested)
        else:
            reason = (
                f"commissioned on {tested.fewest} recordings; {LEAST_RECORDINGS} are needed to tell how they differ"
            )
            findings.skipped.append(Skipped(what=f"{NAME} {k} clips, {label}, from the mean", reason=reason))
    if told:
        rates = np.concatenate([tested.above for tested in told]).mean(axis=0)
        note = f"every clip alike, machines of fewer than {LEAST_RECORDINGS} recordings included"
        findings.rows.append(_summary("pooled", system, k, told, rates).model_copy(update={"note": note}))
    if in_mean:
        rates = np.mean([tested.rates for tested in in_mean], axis=0)
        findings.calibration += _points(name, "all", rates, sum(tested.clips for tested in in_mean))
        note = f"{len(in_mean)} machines" + ("; threshold at the quantile of the fitted clips" * resubstituted)
        findings.rows.append(_summary("mean", system, k, in_mean, rates).model_copy(update={"note": note}))


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


def _test(
    evaluation: Evaluation, system: System, machine: Machine, splits: Sequence[Split], *, resubstituted: bool
) -> _Tested:
    """Held-out normal clips above the threshold of each nominal rate."""
    tested = _Tested(machine, min(len({clip.group for clip in split.commission}) for split in splits))
    scorer = system.make()
    siblings = evaluation.sibling_clips(machine)
    for number, split in enumerate(splits):
        context = FitContext(machine.machine_type, machine.machine_id, siblings, seed=evaluation.seed + number)
        normals = evaluation.listener.hear_all(split.commission)
        if not fit(scorer, normals, context):
            tested.refused += 1
            continue
        thresholds = -np.log10(NOMINAL)
        if resubstituted:
            thresholds = np.quantile([scorer.score(clip) for clip in normals], 1.0 - np.array(NOMINAL))
        for clip in evaluation.listener.hear_all(split.test):
            tested.above.append(scorer.score(clip) >= thresholds)
            tested.groups.append(f"{machine.machine_id}/{clip.clip.group}")
    return tested


def _points(system: str, machine: str, rates: NDArray[np.float64], clips: int) -> list[CalibrationPoint]:
    return [
        CalibrationPoint(system=system, machine=machine, nominal=nominal, realised=float(rate), clips=clips)
        for nominal, rate in zip(NOMINAL, rates, strict=True)
    ]


def _machine_row(evaluation: Evaluation, system: System, k: int, tested: _Tested) -> Row:
    machine = tested.machine
    rng = rng_for(evaluation.seed, NAME, "interval", system.name, machine.machine_id, k)
    above = np.array(tested.above, np.float64)
    figures = [
        _rate(nominal, group_interval(above[:, place], tested.groups, rng, rounds=evaluation.effort.rounds))
        for place, nominal in enumerate(NOMINAL)
    ]
    return Row(
        protocol=NAME,
        case=f"{k} clips",
        machine_type=machine.machine_type,
        machine_id=machine.machine_id,
        system=system.name,
        draws=min(MOST_DRAWS, evaluation.effort.draws),
        refused=tested.refused,
        normal_clips=tested.clips,
        figures=(*figures, Figure(name="factor", value=_factor(tested.rates, tested.clips))),
        note=f"commissioned on {tested.fewest} recordings or more, tested on {len(set(tested.groups))}",
    )


def _summary(kind: str, system: System, k: int, tested: Sequence[_Tested], rates: NDArray[np.float64]) -> Row:
    clips = sum(item.clips for item in tested)
    figures = [
        Figure(name=f"rate_at_{nominal:g}", value=float(rate)) for nominal, rate in zip(NOMINAL, rates, strict=True)
    ]
    within = np.mean([_factor(item.rates, item.clips) <= 2.0 for item in tested])
    return Row(
        protocol=NAME,
        case=f"{k} clips",
        machine_type="all",
        machine_id=kind,
        system=system.name,
        refused=sum(item.refused for item in tested),
        normal_clips=clips,
        figures=(
            *figures,
            Figure(name="factor", value=_factor(rates, clips)),
            Figure(name="machines_within_2", value=float(within)),
        ),
    )


def _rate(nominal: float, interval: Interval) -> Figure:
    return Figure(name=f"rate_at_{nominal:g}", value=interval.value, low=interval.low, high=interval.high)


def _factor(rates: NDArray[np.float64], clips: int) -> float:
    """The worse of the judged rates."""
    return max(rate_factor(float(rates[NOMINAL.index(nominal)]), nominal, clips) for nominal in JUDGED)
