"""Stream: a day at each machine, as the running agent hears it.

Held-out normal recordings follow one another in shuffled order for 24 h, the gain drifts by up to 3 dB either way, and
every recording sounds amid another background 12 dB below. Commissioning hears other recordings, in quiet as they were
recorded, or amid other backgrounds at the same ratio. Beside it a place where nothing else is ever heard: commissioned
and heard in quiet, with the margin for background that thresholds have and without.

A recording is heard at five gains and amid several backgrounds, through the agent's whole signal path; the day is then
drawn from those pieces, at each moment the one whose gain is nearest to the drift. Features, `MachineScorer` and
`AlarmMachine` are the product's; only joints between recordings, which no plant has, are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.verdict import Verdict
from training_hub.evaluation.clips import EvalClip, Machine, Split, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.ours import AgentScorer
from training_hub.evaluation.protocols.amid import Site, hear_at
from training_hub.evaluation.protocols.first_shot import remarks
from training_hub.evaluation.protocols.noise import audible_backgrounds
from training_hub.evaluation.report import Figure, Row, Skipped
from training_hub.evaluation.scorer import FitContext

NAME = "stream"
SNR_DB = 12.0
DRIFT_DB = 3.0
GAINS_DB = (-3.0, -1.5, 0.0, 1.5, 3.0)
LEAST_CLIPS = 8
MOST_COMMISSION_CLIPS = 60
EPISODE_WINDOWS = 60
AMID, QUIET = "commissioned amid background", "commissioned in quiet"
SILENT, NO_MARGIN = "in quiet throughout", "in quiet throughout, no margin"
_DRIFT_PERIODS_S = (7_213.0, 1_789.0)
_WARM_UP_WINDOWS = 60
_NS_PER_S = 1_000_000_000
Piece = tuple[Verdict, ...]
"""Verdicts on the windows of one recording, heard at one gain amid one background."""


@dataclass(frozen=True)
class _Case:
    """How a machine is commissioned and heard; None for a site without background."""

    name: str
    commissioned: Site | None
    heard: Site | None
    gains_db: tuple[float, ...]
    budget: AlarmBudget = field(default_factory=AlarmBudget)


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every machine with eight normal clips or more, half of them for commissioning."""
    noises = audible_backgrounds(evaluation)
    near, far = (Site(evaluation, tuple(noises[part::2]), SNR_DB) for part in (0, 1))
    cases = (
        _Case(AMID, near, far, GAINS_DB),
        _Case(QUIET, None, far, GAINS_DB),
        _Case(SILENT, None, None, GAINS_DB),
        _Case(NO_MARGIN, None, None, GAINS_DB, AlarmBudget(background_margin=False)),
    )
    rows: list[Row] = []
    for machine in evaluation.data.machines:
        try:
            split = _split(evaluation, machine, len(noises))
        except EvaluationError as error:
            findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}", reason=str(error)))
            continue
        evaluation.progress(f"{NAME}: {machine.machine_id}, {evaluation.effort.stream_h:g} h")
        for case in cases:
            try:
                rows.append(_one_case(evaluation, machine, split, case))
            except CommissioningError as error:
                what = f"{NAME}, {machine.machine_id}, {case.name}"
                findings.skipped.append(Skipped(what=what, reason=f"commissioning refused: {error}"))
    findings.rows += rows
    findings.rows += [_sum(evaluation, case.name, [r for r in rows if r.case == case.name]) for case in cases if rows]


def _split(evaluation: Evaluation, machine: Machine, noises: int) -> Split:
    """Half of the clips for commissioning, or as many as leave another recording to test on."""
    if len(machine.normals) < LEAST_CLIPS:
        raise EvaluationError(f"{len(machine.normals)} normal clips; {LEAST_CLIPS} are needed")
    if noises < 2 * len(GAINS_DB):
        raise EvaluationError(f"{noises} background recordings; {2 * len(GAINS_DB)} are needed")
    k = min(MOST_COMMISSION_CLIPS, len(machine.normals) // 2)
    while True:
        try:
            return draw_split(machine.normals, k, rng_for(evaluation.seed, NAME, machine.machine_id))
        except EvaluationError:
            k -= 1
            if k < 3:
                raise


def _one_case(evaluation: Evaluation, machine: Machine, split: Split, case: _Case) -> Row:
    scorer = next(system for system in evaluation.ours if system.name == "ours").make()
    assert isinstance(scorer, AgentScorer)  # ours is
    context = FitContext(machine.machine_type, machine.machine_id, evaluation.sibling_clips(machine))
    rng = rng_for(evaluation.seed, NAME, case.name, machine.machine_id)
    normals = [_heard(evaluation, case.commissioned, clip, 0.0, rng) for clip in split.commission]
    scorer.commission(normals, context, case.budget)
    pieces = _pieces(evaluation, case, scorer.scorer, split.test, rng)
    windows = round(evaluation.effort.stream_h * 3600.0 / case.budget.window_hop_s)
    day = list(_day(pieces, case.gains_db, windows, rng))
    anomalous = sum(verdict.is_anomalous for verdict in day) / len(day)
    expected = scorer.profile.expected
    return Row(
        protocol=NAME,
        case=case.name,
        machine_type=machine.machine_type,
        machine_id=machine.machine_id,
        system="ours",
        normal_clips=len(split.test),
        anomalous_clips=len(machine.anomalies),
        figures=(
            Figure(name="alarms", value=sum(_raised(case.budget, day))),
            Figure(name="anomalous_windows", value=anomalous),
            Figure(name="expected_per_week", value=expected.per_week, low=expected.low, high=expected.high),
            *_episodes(evaluation, machine, case, scorer.scorer, day),
        ),
        note="; ".join(
            [*filter(None, [remarks(evaluation, machine, [split])]), f"commissioned on {len(split.commission)} clips"]
        ),
    )


def _heard(
    evaluation: Evaluation, site: Site | None, clip: EvalClip, gain_db: float, rng: np.random.Generator
) -> HeardClip:
    return hear_at(evaluation, clip, gain_db) if site is None else site.hear(clip, gain_db, rng)


def _pieces(
    evaluation: Evaluation, case: _Case, scorer: MachineScorer, clips: Sequence[EvalClip], rng: np.random.Generator
) -> list[list[list[Piece]]]:
    """Pieces by recording and gain: as many backgrounds each as the effort asks for."""
    variants = 1 if case.heard is None else -(-evaluation.effort.stream_pieces // (len(clips) * len(case.gains_db)))
    return [
        [
            [_judged(scorer, _heard(evaluation, case.heard, clip, gain_db, rng)) for _ in range(variants)]
            for gain_db in case.gains_db
        ]
        for clip in clips
    ]


def _judged(scorer: MachineScorer, heard: HeardClip) -> Piece:
    return tuple(scorer.score(window.features, window.level) for window in heard.windows)


def _day(
    pieces: Sequence[Sequence[Sequence[Piece]]], gains_db: Sequence[float], windows: int, rng: np.random.Generator
) -> Iterator[Verdict]:
    """`windows` verdicts: recordings shuffled again and again, each at the gain that the drift has reached."""
    made = 0
    while True:
        for recording in rng.permutation(len(pieces)):
            drift_db = float(_drift_db(np.array([made * 10.0]))[0])
            gain = int(np.argmin(np.abs(np.array(gains_db) - drift_db)))
            variants = pieces[recording][gain]
            for verdict in variants[int(rng.integers(len(variants)))]:
                yield verdict
                made += 1
                if made == windows:
                    return


def _raised(budget: AlarmBudget, verdicts: Sequence[Verdict]) -> list[bool]:
    """For each verdict, whether it raised an alarm."""
    alarm, hop_ns = AlarmMachine(budget), int(budget.window_hop_s * _NS_PER_S)
    return [alarm.update(verdict, number * hop_ns).raised for number, verdict in enumerate(verdicts)]


def _drift_db(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slow drift of the gain within +-3 dB: two periods that share no multiple within a day."""
    slow, fast = (np.sin(2.0 * np.pi * times_s / period) for period in _DRIFT_PERIODS_S)
    return np.asarray(DRIFT_DB * (0.7 * slow + 0.3 * fast))


def _episodes(
    evaluation: Evaluation, machine: Machine, case: _Case, scorer: MachineScorer, day: Sequence[Verdict]
) -> list[Figure]:
    """Which anomalies raise an alarm within ten minutes, and after how long.

    An episode is one anomalous recording, over and over, each time amid another background, after ten minutes of
    normal windows. Beside it the share of anomalous windows above the threshold.
    """
    anomalies = evaluation.some(machine.anomalies)
    if not anomalies:
        return []
    delays_s: list[float] = []
    above: list[bool] = []
    for clip in anomalies:
        rng = rng_for(evaluation.seed, NAME, "episode", case.name, clip.name)
        pieces = [_judged(scorer, _heard(evaluation, case.heard, clip, gain_db, rng)) for gain_db in case.gains_db]
        above += [verdict.is_anomalous for piece in pieces for verdict in piece]
        before = [day[int(place)] for place in rng.integers(len(day), size=_WARM_UP_WINDOWS)]
        fault = [v for place in rng.integers(len(pieces), size=EPISODE_WINDOWS) for v in pieces[place]]
        raised = _raised(case.budget, [*before, *fault[:EPISODE_WINDOWS]])[_WARM_UP_WINDOWS:]
        if any(raised):
            delays_s.append((raised.index(True) + 1) * case.budget.window_hop_s)
    figures = [
        Figure(name="episodes_raised", value=len(delays_s) / len(anomalies)),
        Figure(name="anomalous_windows_above", value=float(np.mean(above))),
    ]
    if delays_s:
        figures.append(Figure(name="median_delay_s", value=float(np.median(delays_s))))
    return figures


def _sum(evaluation: Evaluation, case: str, rows: Sequence[Row]) -> Row:
    alarms = sum(row.figure("alarms") or 0.0 for row in rows)
    hours = evaluation.effort.stream_h
    raised = [value for row in rows if (value := row.figure("episodes_raised")) is not None]
    per_week = alarms / max(1, len(rows)) * 168.0 / hours
    figures = [Figure(name="alarms", value=alarms), Figure(name="alarms_per_machine_week", value=per_week)]
    if raised:
        figures.append(Figure(name="episodes_raised", value=float(np.mean(raised))))
    return Row(
        protocol=NAME,
        case=case,
        machine_type="all",
        machine_id="sum",
        system="ours",
        figures=tuple(figures),
        note=f"{len(rows)} machines, {hours:g} h each",
    )
