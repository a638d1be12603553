import numpy as np
import pytest

from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.sessions import independent_recordings, serial_correlation, session_correlation
from tests.detection import sounds


def training(changes_db: list[float], states: list[int] | None = None) -> TrainingSet:
    tilt = np.linspace(-1.0, 1.0, 128)
    windows = tuple(sounds.window(k, change_db=change * tilt) for k, change in enumerate(changes_db))
    numbers = np.array(states or [0] * len(windows), np.int64)
    return TrainingSet(windows, np.arange(len(windows)), numbers)


SESSIONS_DB = [0.0] * 8 + [6.0] * 8 + [-5.0] * 8


def test_sessions_in_a_row_are_heard() -> None:
    assert session_correlation(training(SESSIONS_DB)) > 0.6


def test_shuffled_recordings_are_of_no_session() -> None:
    shuffled = np.random.default_rng(1).permutation(SESSIONS_DB).tolist()
    assert session_correlation(training(shuffled)) < 0.2


def test_operating_states_are_no_sessions() -> None:
    """Idle first, load after: within each state nothing is alike."""
    states = [0] * 8 + [1] * 8 + [2] * 8
    assert session_correlation(training(SESSIONS_DB, states)) < 0.25


@pytest.mark.parametrize(("correlation", "expected"), [(0.0, 40.0), (0.5, 40.0 / 3.0), (0.9, 40.0 / 19.0)])
def test_alike_recordings_count_for_fewer(correlation: float, expected: float) -> None:
    assert independent_recordings(40, correlation) == pytest.approx(expected)


def test_two_recordings_tell_nothing_of_sessions() -> None:
    assert 0.0 < session_correlation(training([0.0, 9.0])) < 0.2


def test_identical_rows_have_no_correlation() -> None:
    assert serial_correlation(np.ones((5, 3))) == 0.0
