"""The stream: drift, shuffling and alarms of a day drawn from pieces."""

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.verdict import Verdict
from training_hub.evaluation.protocols.stream import DRIFT_DB, GAINS_DB, _day, _drift_db, _raised


def verdict(score: float, state: int = 0) -> Verdict:
    return Verdict(score, 2.0, 50.0, (), (), (), state, "clip", score >= 2.0)


def pieces(recordings: int, variants: int = 2) -> list[list[list[tuple[Verdict, ...]]]]:
    """Each verdict's score tells its recording, its state the gain."""
    return [
        [[(verdict(float(recording), gain),) for _ in range(variants)] for gain in range(len(GAINS_DB))]
        for recording in range(recordings)
    ]


def test_the_drift_reaches_both_ends_and_no_further() -> None:
    drift = _drift_db(np.arange(0.0, 86_400.0, 10.0))
    assert drift.max() == pytest.approx(DRIFT_DB, abs=0.2)
    assert drift.min() == pytest.approx(-DRIFT_DB, abs=0.2)
    assert np.abs(drift).max() <= DRIFT_DB


def test_a_day_shuffles_every_recording_and_follows_the_drift() -> None:
    day = list(_day(pieces(7), GAINS_DB, 8640, np.random.default_rng(0)))
    assert len(day) == 8640
    for start in range(0, 8638, 7):
        assert {v.score for v in day[start : start + 7]} <= set(range(7))
        if start + 7 <= 8640:
            assert len({v.score for v in day[start : start + 7]}) == 7
    heard = np.array([GAINS_DB[v.state] for v in day])
    assert np.abs(heard - _drift_db(np.arange(8640) * 10.0)).max() <= 0.75 + 1e-9
    assert set(heard.tolist()) == set(GAINS_DB)


def test_windows_of_a_recording_stay_together() -> None:
    long = [[[(verdict(0.0), verdict(0.5), verdict(0.9))]], [[(verdict(7.0),)]]]
    scores = [v.score for v in _day(long, (0.0,), 40, np.random.default_rng(1))]
    for place in (i for i, score in enumerate(scores[:-2]) if score == 0.0):
        assert scores[place + 1 : place + 3] == [0.5, 0.9]


def test_alarms_are_those_of_the_alarm_machine() -> None:
    budget = AlarmBudget(raise_after=2, raise_within=3, clear_after=2)
    scores = [0, 3, 3, 0, 0, 3, 0, 3]
    assert [i for i, raised in enumerate(_raised(budget, [verdict(s) for s in scores])) if raised] == [2, 7]
