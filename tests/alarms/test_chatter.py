"""A noisy score around the threshold for an hour makes one episode."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.alarms.alarm import AlarmKey, Change, Condition, Kind, Severity
from edge_agent.alarms.delay import Delayed, Delays
from edge_agent.alarms.severity import SeverityMeter
from edge_agent.alarms.states import Event, State
from edge_agent.detection.alarm import AlarmMachine, AlarmPhase
from edge_agent.detection.budget import AlarmBudget
from tests.alarms.desk import FAN, Book, S
from tests.support.windows import THRESHOLD, verdict

HOP_S = 10
HOUR = 3600 // HOP_S

steps = st.lists(st.floats(-0.25, 0.25), min_size=HOUR, max_size=HOUR)
"""A random walk in units of the threshold, reflected at a third below and above it."""


def walk(moves: list[float]) -> list[float]:
    place, scores = 0.0, []
    for move in moves:
        place = 0.35 * math.sin(math.asin(place / 0.35) + move / 0.35)
        scores.append(THRESHOLD * (1.0 + place))
    return scores


def listen(scores: list[float], desk: Book, *, acknowledge_at: int | None = None) -> list[Change]:
    """Scores through the detection's alarm logic and the life cycle, as in the agent."""
    budget = AlarmBudget(raise_after=3, raise_within=5, clear_after=6, window_hop_s=HOP_S)
    machine = AlarmMachine(budget)
    meter = SeverityMeter(windows=budget.raise_after, within=budget.raise_within)
    changes: list[Change] = []
    for index, score in enumerate(scores):
        now_ns = index * HOP_S * S
        heard = machine.update(verdict(score), now_ns)
        severity = meter.update(score, THRESHOLD)
        condition = Condition(severity, "odd") if heard.phase is AlarmPhase.ACTIVE else None
        changes += desk.book.observe(FAN, condition, now_ns=now_ns)
        if index == acknowledge_at and desk.state() in ("unacknowledged", "returned_unacknowledged"):
            changes.append(desk.act(Event.ACKNOWLEDGE, index * HOP_S))
    return changes


@settings(deadline=None, max_examples=50)
@given(steps)
def test_an_hour_of_noise_is_one_episode(moves: list[float]) -> None:
    changes = listen(walk(moves), Book())
    assert sum(change.begun for change in changes) <= 1
    assert len({change.alarm.id for change in changes}) <= 1
    # each return doubles the quiet that it takes to end: 120 s, 240 s, ...
    assert sum(change.annunciated for change in changes) <= 5


@settings(deadline=None, max_examples=50)
@given(steps, st.integers(0, HOUR - 1))
def test_who_acknowledged_it_is_called_no_more(moves: list[float], acknowledge_at: int) -> None:
    changes = listen(walk(moves), Book(), acknowledge_at=acknowledge_at)
    seen = [index for index, change in enumerate(changes) if change.event is Event.ACKNOWLEDGE]
    if seen:
        assert not any(change.annunciated for change in changes[seen[0] :])
        assert len({change.alarm.id for change in changes}) == 1


Noise = npt.NDArray[np.float64]


def white(rng: np.random.Generator, times_s: Noise) -> Noise:
    return rng.standard_normal(len(times_s))


def pink(rng: np.random.Generator, times_s: Noise) -> Noise:
    frequencies = np.maximum(np.fft.rfftfreq(len(times_s)), 1.0 / len(times_s))
    return _unit(np.fft.irfft(np.fft.rfft(white(rng, times_s)) / np.sqrt(frequencies), len(times_s)))


def brown(rng: np.random.Generator, times_s: Noise) -> Noise:
    return _unit(np.cumsum(white(rng, times_s)))


def periodic(rng: np.random.Generator, times_s: Noise) -> Noise:
    swing = np.sin(2 * np.pi * times_s / rng.uniform(30, 2400) + rng.uniform(0, 6))
    return np.sign(swing) if rng.random() < 0.5 else 1.4 * swing


def burst(rng: np.random.Generator, times_s: Noise) -> Noise:
    noise = np.full(len(times_s), -1.0)
    begins_s, apart_s = 0.0, rng.uniform(60, 600)
    while (begins_s := begins_s + rng.exponential(apart_s)) < times_s[-1]:
        ends_s = begins_s + rng.exponential(60) + 1
        noise[(times_s >= begins_s) & (times_s < ends_s)] = 1.0
        begins_s = ends_s
    return noise


def drift(rng: np.random.Generator, times_s: Noise) -> Noise:
    return np.linspace(-1, 1, len(times_s)) + 0.5 * white(rng, times_s)


def _unit(noise: Noise) -> Noise:
    return (noise - noise.mean()) / max(float(noise.std()), 1e-9)


@dataclass(frozen=True)
class Hour:
    """An hour around the threshold: what is heard, what is lost, and when the agent is started anew."""

    seed: int
    hop_s: float
    budget: tuple[int, int, int]
    amplitude: float
    lost: float
    blocked: float
    restarts: tuple[float, ...]


hours = st.builds(
    Hour,
    seed=st.integers(0, 2**32 - 1),
    hop_s=st.sampled_from([1.0, 2.5, 5.0, 10.0, 60.0]),
    budget=st.sampled_from([(6, 10, 6), (3, 5, 6), (1, 1, 1)]),
    amplitude=st.floats(0.02, 1.0),
    lost=st.sampled_from([0.0, 0.2]),
    blocked=st.sampled_from([0.0, 0.3]),
    restarts=st.lists(st.floats(0.0, 1.0), max_size=3).map(tuple),
)


@pytest.mark.parametrize("noise", [white, pink, brown, periodic, burst, drift])
@settings(deadline=None, max_examples=12)
@given(hour=hours)
def test_any_noise_for_an_hour_is_one_episode(noise: Callable[[np.random.Generator, Noise], Noise], hour: Hour) -> None:
    rng = np.random.default_rng(hour.seed)
    times_s = np.arange(0, 3600, hour.hop_s)
    scores = THRESHOLD * np.clip(1 + hour.amplitude * noise(rng, times_s), 0.02, None)
    lost, blocked = rng.random(len(scores)) < hour.lost, rng.random(len(scores)) < hour.blocked
    restarts = {int(part * len(scores)) for part in hour.restarts}
    raise_after, raise_within, clear_after = hour.budget
    budget = AlarmBudget(
        raise_after=raise_after, raise_within=raise_within, clear_after=clear_after, window_hop_s=hour.hop_s
    )
    machine, desk = AlarmMachine(budget), Book()
    meter = SeverityMeter(windows=raise_after, within=raise_within)
    changes: list[Change] = []
    for index, score in enumerate(scores):
        if index in restarts:
            alarms = tuple(replace(alarm, quiet_since_ns=None) for alarm in desk.book.alarms())
            on = any(alarm.active for alarm in alarms)
            machine = AlarmMachine(budget, machine.state.episode if on else None)
            desk, meter = (
                Book(alarms=alarms, first_id=1000 + index),
                SeverityMeter(windows=raise_after, within=raise_within),
            )
        if lost[index]:
            continue
        heard = verdict(float(score), blocked=bool(blocked[index]))
        state = machine.update(heard, int(times_s[index] * S))
        severity = meter.severity if heard.blocked else meter.update(float(score), THRESHOLD)
        condition = Condition(severity, "odd") if state.phase is AlarmPhase.ACTIVE else None
        changes += desk.book.observe(FAN, condition, now_ns=int(times_s[index] * S))
    assert sum(change.begun for change in changes) <= 1
    assert len({change.alarm.id for change in changes}) <= 1
    returns = max((change.alarm.returns for change in changes), default=0)
    # each return doubles the quiet that it takes to end; beside them, severity has three steps
    assert returns <= 6
    assert sum(change.annunciated for change in changes) <= 1 + returns + 2


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8), st.sampled_from([1, 5, 10, 20]))
def test_an_input_fault_that_comes_and_goes_for_an_hour_is_one_episode(seed: int, share: float, stays: int) -> None:
    """It is there for some windows and gone for some, with the delays in use."""
    rng, delayed, desk = np.random.default_rng(seed), Delayed(Delays()), Book()
    hum = AlarmKey(Kind.INPUT_FAULT, "fan_1", "hum")
    changes: list[Change] = []
    present = np.repeat(rng.random(HOUR // stays) < share, stays)
    for index, there in enumerate(present):
        now_ns = index * HOP_S * S
        condition = Condition(Severity.LOW, "hum") if delayed.update(bool(there), now_ns) else None
        changes += desk.book.observe(hum, condition, now_ns=now_ns)
    assert sum(change.begun for change in changes) <= 1
    assert sum(change.annunciated for change in changes) <= 6


def test_a_score_that_swings_through_the_band_for_an_hour() -> None:
    scores = [THRESHOLD * (1.0 + 0.3 * math.sin(2 * math.pi * index / 24)) for index in range(HOUR)]
    budget = AlarmBudget(raise_after=3, raise_within=5, clear_after=6, window_hop_s=HOP_S)
    machine = AlarmMachine(budget)
    raised = sum(machine.update(verdict(score), index * HOP_S * S).raised for index, score in enumerate(scores))
    assert raised >= 10  # the detection alone would call that often
    changes = listen(scores, Book())
    assert sum(change.begun for change in changes) == 1
    assert sum(change.annunciated for change in changes) <= 3
    assert changes[-1].alarm.severity is Severity.MEDIUM
    assert changes[-1].alarm.state is State.UNACKNOWLEDGED
