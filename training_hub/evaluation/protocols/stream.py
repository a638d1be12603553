"""Stream: a day at each machine, in one piece, as the running agent hears it.

Held-out normal recordings follow one another in shuffled order, amid background 12 dB below; the gain drifts by up to
3 dB either way. Commissioning hears other recordings amid other background at the same ratio: a site is never quiet.
A second profile, commissioned without background, is judged on the same windows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.verdict import Verdict
from edge_agent.pipeline.analyse import AnalysedWindow
from training_hub.evaluation import mixing
from training_hub.evaluation.clips import EvalClip, Machine, draw_split, rng_for
from training_hub.evaluation.context import Evaluation, Findings
from training_hub.evaluation.datasets import RATE_HZ
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.ours import AgentScorer
from training_hub.evaluation.protocols.first_shot import remarks
from training_hub.evaluation.protocols.noise import audible_backgrounds
from training_hub.evaluation.report import Figure, Row, Skipped
from training_hub.evaluation.scorer import FitContext

NAME = "stream"
SNR_DB = 12.0
DRIFT_DB = 3.0
LEAST_CLIPS = 20
MOST_COMMISSION_CLIPS = 60
MOST_DELAY_WINDOWS = 360
AMID, QUIET = "commissioned amid background", "commissioned in quiet"
_DRIFT_PERIODS_S = (7_213.0, 1_789.0)
_WARM_UP_WINDOWS = 60
_POOL_WINDOWS = 120
_NS_PER_S = 1_000_000_000
FloatArray = NDArray[np.float32]


@dataclass
class _Alarms:
    """What one profile makes of the stream."""

    scorer: AgentScorer
    alarm: AlarmMachine
    raised: int = 0
    anomalous: int = 0
    windows: int = 0
    verdicts: list[Verdict] | None = None

    def take(self, window: AnalysedWindow, start_ns: int) -> None:
        """One window on."""
        verdict = self.scorer.scorer.score(window.features, window.level)
        state = self.alarm.update(verdict, start_ns)
        self.raised += state.raised
        self.anomalous += verdict.is_anomalous
        self.windows += 1
        if self.verdicts is not None and len(self.verdicts) < _POOL_WINDOWS:
            self.verdicts.append(verdict)


def run(evaluation: Evaluation, findings: Findings) -> None:
    """Every machine that can be commissioned on ten clips and has as many left."""
    budget = AlarmBudget(false_alarms_per_week=1.0)
    total: dict[str, int] = {AMID: 0, QUIET: 0}
    machines = 0
    noises = audible_backgrounds(evaluation)
    for machine in evaluation.data.machines:
        reason = _unfit(machine, noises)
        if reason:
            findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}", reason=reason))
            continue
        evaluation.progress(f"{NAME}: {machine.machine_id}, {evaluation.effort.stream_h:g} h")
        rows = _one_machine(evaluation, findings, machine, noises, budget)
        machines += bool(rows)
        for row in rows:
            findings.rows.append(row)
            total[row.case] += int(row.figure("alarms") or 0)
    for case, alarms in total.items():
        if machines:
            hours = evaluation.effort.stream_h
            figures = (
                Figure(name="alarms", value=alarms),
                Figure(name="alarms_per_machine_week", value=alarms / machines * 168.0 / hours),
            )
            note = f"{machines} machines, {hours:g} h each"
            findings.rows.append(
                Row(
                    protocol=NAME,
                    case=case,
                    machine_type="all",
                    machine_id="sum",
                    system="ours",
                    figures=figures,
                    note=note,
                )
            )


def _unfit(machine: Machine, noises: Sequence[EvalClip]) -> str:
    if len(machine.normals) < LEAST_CLIPS:
        return f"{len(machine.normals)} normal clips; {LEAST_CLIPS} are needed, half of them to commission on"
    return "" if len(noises) >= 4 else "no background to mix in"


def _one_machine(
    evaluation: Evaluation, findings: Findings, machine: Machine, noises: Sequence[EvalClip], budget: AlarmBudget
) -> list[Row]:
    k = min(MOST_COMMISSION_CLIPS, len(machine.normals) // 2)
    try:
        split = draw_split(machine.normals, k, rng_for(evaluation.seed, NAME, machine.machine_id))
    except EvaluationError as error:
        findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}", reason=str(error)))
        return []
    near, far = noises[0::2], noises[1::2]
    amid = [_hear_amid(evaluation, clip, near, i) for i, clip in enumerate(split.commission)]
    quiet = evaluation.listener.hear_all(split.commission)
    listeners: dict[str, _Alarms] = {}
    for case, clips in ((AMID, amid), (QUIET, quiet)):
        scorer = next(system for system in evaluation.ours if system.name == "ours").make()
        assert isinstance(scorer, AgentScorer)  # ours is
        context = FitContext(machine.machine_type, machine.machine_id, evaluation.sibling_clips(machine))
        try:
            scorer.fit(clips, context)
        except CommissioningError as error:
            findings.skipped.append(Skipped(what=f"{NAME}, {machine.machine_id}, {case}", reason=str(error)))
            continue
        listeners[case] = _Alarms(scorer, AlarmMachine(budget), verdicts=[])
    count = round(evaluation.effort.stream_h * 360.0)
    hop_ns = int(budget.window_hop_s * _NS_PER_S)
    for number, window in enumerate(_windows(evaluation, machine, split.test, far, count)):
        for alarms in listeners.values():
            alarms.take(window, number * hop_ns)
    note = remarks(evaluation, machine, [split])
    return [
        Row(
            protocol=NAME,
            case=case,
            machine_type=machine.machine_type,
            machine_id=machine.machine_id,
            system="ours",
            normal_clips=len(split.test),
            anomalous_clips=len(machine.anomalies),
            figures=(
                Figure(name="alarms", value=alarms.raised),
                Figure(name="alarms_per_week", value=alarms.raised * 168.0 / evaluation.effort.stream_h),
                Figure(name="anomalous_windows", value=alarms.anomalous / max(1, alarms.windows)),
                Figure(name="expected_per_week", value=alarms.scorer.profile.expected.per_week),
                *_delays(evaluation, machine, alarms, far, budget),
            ),
            note=note,
        )
        for case, alarms in listeners.items()
    ]


def _hear_amid(evaluation: Evaluation, clip: EvalClip, noises: Sequence[EvalClip], number: int) -> HeardClip:
    """A commissioning clip with background of its own."""
    noise = noises[number % len(noises)]
    rng = rng_for(evaluation.seed, NAME, "amid", clip.name)
    name, seed = f"{clip.name} amid {noise.name}", int(rng.integers(1 << 31))
    if clip.read_audio is not None:
        changed = clip.with_audio(name, lambda: _amid(clip, noise, np.random.default_rng(seed)))
    else:
        changed = clip.with_log_mel(name, lambda: _amid_frames(evaluation, clip, noise, np.random.default_rng(seed)))
    return evaluation.listener.hear(changed, remember=False)


def _amid(clip: EvalClip, noise: EvalClip, rng: np.random.Generator) -> FloatArray:
    assert clip.read_audio is not None  # the caller asked
    assert noise.read_audio is not None  # backgrounds are sounds
    audio = clip.read_audio()
    return mixing.mix_at_snr(audio, mixing.fit_length(noise.read_audio(), len(audio), rng), SNR_DB)


def _amid_frames(evaluation: Evaluation, clip: EvalClip, noise: EvalClip, rng: np.random.Generator) -> FloatArray:
    assert clip.read_log_mel is not None  # the caller asked
    return mixing.log_mel_mix(clip.read_log_mel(), evaluation.listener.hear(noise).log_mel_db, SNR_DB, rng)


def _windows(
    evaluation: Evaluation, machine: Machine, clips: Sequence[EvalClip], noises: Sequence[EvalClip], count: int
) -> Iterator[AnalysedWindow]:
    """`count` windows of the stream."""
    rng = rng_for(evaluation.seed, NAME, "stream", machine.machine_id)
    made = 0
    stream = evaluation.listener.stream()
    position_s = 0.0
    while True:
        for place in rng.permutation(len(clips)):
            clip, noise = clips[place], noises[int(rng.integers(len(noises)))]
            if clip.read_audio is None:
                frames = _amid_frames(evaluation, clip, noise, rng) + np.float32(_drift_db(np.array([position_s]))[0])
                found = list(
                    evaluation.listener.hear(clip.with_log_mel(f"stream {made}", _held(frames)), remember=False).windows
                )
                position_s += 10.0
            else:
                audio = _amid(clip, noise, rng)
                times_s = position_s + np.arange(len(audio)) / RATE_HZ
                found = stream.push(np.asarray(audio * 10.0 ** (_drift_db(times_s) / 20.0), np.float32))
                position_s += len(audio) / RATE_HZ
            for window in found:
                yield window
                made += 1
                if made == count:
                    return


def _held(frames: FloatArray) -> Callable[[], FloatArray]:
    return lambda: frames


def _drift_db(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slow drift of the gain within +-3 dB: two periods that share no multiple within a day."""
    slow, fast = (np.sin(2.0 * np.pi * times_s / period) for period in _DRIFT_PERIODS_S)
    return np.asarray(DRIFT_DB * (0.7 * slow + 0.3 * fast))


def _delays(
    evaluation: Evaluation, machine: Machine, alarms: _Alarms, noises: Sequence[EvalClip], budget: AlarmBudget
) -> list[Figure]:
    """How long an anomaly sounds until the alarm: anomalies amid background, after ten minutes of normal windows."""
    anomalies = evaluation.some(machine.anomalies)[:_POOL_WINDOWS]
    if not anomalies or not alarms.verdicts:
        return []
    faulty = [
        alarms.scorer.scorer.score(window.features, window.level)
        for number, clip in enumerate(anomalies)
        for window in _hear_amid(evaluation, clip, noises, number).windows
    ]
    hop_ns = int(budget.window_hop_s * _NS_PER_S)
    delays_s = []
    for trial in range(evaluation.effort.delay_trials):
        rng = rng_for(evaluation.seed, NAME, "delay", machine.machine_id, trial)
        alarm = AlarmMachine(budget)
        for number in range(_WARM_UP_WINDOWS):
            alarm.update(alarms.verdicts[int(rng.integers(len(alarms.verdicts)))], number * hop_ns)
        for number in range(MOST_DELAY_WINDOWS):
            verdict = faulty[int(rng.integers(len(faulty)))]
            if alarm.update(verdict, (_WARM_UP_WINDOWS + number) * hop_ns).raised:
                delays_s.append((number + 1) * budget.window_hop_s)
                break
    trials = evaluation.effort.delay_trials
    caught = Figure(name="anomalies_alarmed", value=len(delays_s) / trials)
    return [caught, Figure(name="median_delay_s", value=float(np.median(delays_s)))] if delays_s else [caught]
