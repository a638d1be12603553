"""A noisy score around the threshold for an hour makes one episode."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.alarms.alarm import Change, Condition, Severity
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
