"""Routing by sound: machines commissioned on some recordings, the others routed; and microphones swapped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.likeness import Likeness
from edge_agent.pipeline.identity import UNKNOWN, identifier_of
from edge_agent.pipeline.match import Matcher
from edge_agent.pipeline.mismatch import RAISE_WITHIN, MismatchWatch
from edge_agent.pipeline.priors import type_prior
from edge_agent.pipeline.window import AnalysedWindow
from training_hub.evaluation.clips import EvalClip, Machine, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.report import Figure, Row, Skipped

NAME = "routing"
GENERIC = "generic"
FEWEST_CLIPS, MOST_CLIPS = 3, 20
MOST_DRAWS = 3
_BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass
class _Found:
    """Answers of all draws."""

    machine: dict[str, list[bool]] = field(default_factory=dict)
    kind: dict[str, list[bool]] = field(default_factory=dict)
    background: list[bool] = field(default_factory=list)
    unseen: dict[str, list[bool]] = field(default_factory=dict)
    false_normal: list[bool] = field(default_factory=list)
    false_anomaly: dict[str, list[bool]] = field(default_factory=dict)
    swapped: list[bool] = field(default_factory=list)
    answers: list[tuple[float, bool]] = field(default_factory=list)


@dataclass(frozen=True)
class _Floor:
    """A shop floor of one draw: commissioned machines, and what nobody has heard of them."""

    machines: Mapping[str, Machine]
    likenesses: Mapping[str, Likeness]
    tests: Mapping[str, list[AnalysedWindow]]


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Commission every machine on part of its recordings, all on one gateway, and route the rest."""
    if evaluation.bundle.manifest.encoder.output("embedding") is None:
        findings.skipped.append(Skipped(what=NAME, reason="the bundle's model gives no embedding"))
        return
    found = _Found()
    background = _windows(evaluation, evaluation.some(evaluation.data.backgrounds))
    draws = min(MOST_DRAWS, evaluation.effort.draws)
    for draw in range(draws):
        evaluation.progress(f"{NAME}: draw {draw + 1} of {draws}")
        floor = _floor(evaluation, draw)
        if len(floor.likenesses) < 2:
            findings.skipped.append(Skipped(what=NAME, reason="fewer than two machines could be commissioned"))
            return
        _route(floor, background, found)
        _mismatch(evaluation, floor, found)
    findings.rows += _rows(found, draws)


def _floor(evaluation: Evaluation, draw: int) -> _Floor:
    machines: dict[str, Machine] = {}
    likenesses: dict[str, Likeness] = {}
    tests: dict[str, list[AnalysedWindow]] = {}
    prior = type_prior(evaluation.bundle, GENERIC)
    for machine in evaluation.data.machines:
        count = min(MOST_CLIPS, max(FEWEST_CLIPS, len(machine.normals) // 2))
        rng = rng_for(evaluation.seed, NAME, machine.machine_type, machine.machine_id, draw)
        try:
            split = draw_split(machine.normals, count, rng)
            profile = commission(
                machine.machine_id,
                machine.machine_type,
                [evaluation.listener.hear(clip).as_recording() for clip in split.commission],
                prior,
                evaluation.bundle.ref,
                AlarmBudget(),
                created_ns=0,
                max_states=len({clip.condition for clip in split.commission}),
            )
        except (EvaluationError, CommissioningError):
            continue  # too few recordings, or of too different ones: another protocol's business
        if profile.likeness is not None:
            machines[machine.machine_id] = machine
            likenesses[machine.machine_id] = profile.likeness
            tests[machine.machine_id] = _windows(evaluation, evaluation.some(split.test))
    return _Floor(machines, likenesses, tests)


def _windows(evaluation: Evaluation, clips: Sequence[EvalClip]) -> list[AnalysedWindow]:
    heard = [window for clip in clips for window in evaluation.listener.hear(clip).windows]
    return [window for window in heard if window.features.embeddings.size]


def _route(floor: _Floor, background: Sequence[AnalysedWindow], found: _Found) -> None:
    matcher = Matcher(floor.likenesses)
    types = {machine_id: machine.machine_type for machine_id, machine in floor.machines.items()}
    for machine_id, windows in floor.tests.items():
        others = Matcher({m: one for m, one in floor.likenesses.items() if types[m] != types[machine_id]})
        for window in windows:
            answer = _answer(matcher, window, machine_id, found)
            found.machine.setdefault(machine_id, []).append(answer == machine_id)
            found.kind.setdefault(machine_id, []).append(types.get(answer) == types[machine_id])
            if others:
                found.unseen.setdefault(machine_id, []).append(_answer(others, window, UNKNOWN, found) == UNKNOWN)
    found.background += [_answer(matcher, window, UNKNOWN, found) == UNKNOWN for window in background]


def _answer(matcher: Matcher, window: AnalysedWindow, right: str, found: _Found) -> str:
    match = matcher.match(matcher.distances(window.features.embeddings))
    if match is None:
        return UNKNOWN
    found.answers.append((match.confidence, match.machine == right))
    return match.machine


def _mismatch(evaluation: Evaluation, floor: _Floor, found: _Found) -> None:
    """Channels that hear their own machine, normal and faulty, and channels that hear another type's."""
    for machine_id, machine in floor.machines.items():
        found.false_normal += _findings(evaluation, floor, machine_id, floor.tests[machine_id])
        odd = _windows(evaluation, evaluation.some(machine.anomalies))
        if odd:
            told = _findings(evaluation, floor, machine_id, odd)
            found.false_anomaly.setdefault(machine_id, []).extend(told)
        for other, windows in floor.tests.items():
            enough = len(windows) >= RAISE_WITHIN
            if enough and floor.machines[other].machine_type != machine.machine_type:
                found.swapped.append(any(_findings(evaluation, floor, machine_id, windows[:RAISE_WITHIN])))


def _findings(evaluation: Evaluation, floor: _Floor, machine_id: str, windows: Sequence[AnalysedWindow]) -> list[bool]:
    """For each window heard by a machine's channel, one after the other, whether a mismatch stands."""
    matcher, identifier = Matcher(floor.likenesses), identifier_of(evaluation.bundle)
    watch = MismatchWatch(
        machine_id, floor.machines[machine_id].machine_type, matcher, evaluation.bundle.manifest.labels
    )
    told = []
    for window in windows:
        features = window.features
        identity = identifier.identify(features.logits, features.embeddings)
        told.append(watch.update(features, matcher.distances(features.embeddings), identity) is not None)
    return told


def _rows(found: _Found, draws: int) -> list[Row]:
    rows = [
        _by_machine("held-out recordings, right machine", "recall", found.machine, draws),
        _by_machine("held-out recordings, right type", "recall", found.kind, draws),
        _by_machine("types not commissioned", UNKNOWN, found.unseen, draws),
        _row("background", UNKNOWN, found.background, draws),
        _row(
            "background and types not commissioned",
            UNKNOWN,
            [*found.background, *(told for each in found.unseen.values() for told in each)],
            draws,
        ),
        _row("mismatch, normal sound", "false_rate", found.false_normal, draws),
        _by_machine("mismatch, real faults", "false_rate", found.false_anomaly, draws),
        _row(f"mismatch, swapped, within {RAISE_WITHIN} windows", "found", found.swapped, draws),
    ]
    return [row for row in rows if row.figures] + _reliability(found.answers, draws)


def _reliability(answers: Sequence[tuple[float, bool]], draws: int) -> list[Row]:
    """How often answers of each confidence are right, and the expected calibration error over all."""
    if not answers:
        return []
    stated, right = np.array([c for c, _ in answers]), np.array([r for _, r in answers], np.float64)
    bins = np.clip(np.digitize(stated, _BINS) - 1, 0, len(_BINS) - 2)
    rows, error = [], 0.0
    for k in np.unique(bins).tolist():
        inside = bins == k
        said, was = float(stated[inside].mean()), float(right[inside].mean())
        error += abs(said - was) * float(inside.mean())
        figures = (Figure(name="stated", value=said), Figure(name="right", value=was))
        case = f"confidence {_BINS[k]:g} to {_BINS[k + 1]:g}"
        rows.append(_figures_row(case, figures, int(inside.sum()), draws))
    figures = (Figure(name="calibration_error", value=error), Figure(name="right", value=float(right.mean())))
    return [*rows, _figures_row("confidence, all answers", figures, len(answers), draws)]


def _by_machine(case: str, figure: str, told: Mapping[str, Sequence[bool]], draws: int) -> Row:
    pooled = [one for each in told.values() for one in each]
    lowest = ", ".join(f"{name} {np.mean(each):.2f}" for name, each in sorted(told.items()) if each)
    row = _row(case, figure, pooled, draws)
    mean = Figure(name=f"{figure}_mean_of_machines", value=float(np.mean([np.mean(e) for e in told.values()])))
    return row.model_copy(update={"figures": (*row.figures, mean), "note": lowest}) if pooled else row


def _row(case: str, figure: str, told: Sequence[bool], draws: int) -> Row:
    figures = (Figure(name=figure, value=float(np.mean(told))),) if told else ()
    return _figures_row(case, figures, len(told), draws)


def _figures_row(case: str, figures: tuple[Figure, ...], windows: int, draws: int) -> Row:
    return Row(
        protocol=NAME, case=case, machine_type="all", machine_id="pooled", system="ours", draws=draws,
        normal_clips=windows, figures=figures,
    )  # fmt: skip
