import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.limit import CONFIDENCE, limit_of

QUIET = PredictiveTail(0.0, 1.0, 20.0, 22.0)
AMID = PredictiveTail(2.0, 1.2, 20.0, 22.0)
BUDGET = AlarmBudget()


def alarms_in(values: np.ndarray, limit: float, budget: AlarmBudget) -> int:
    exceeds = values >= limit
    counts = np.convolve(exceeds, np.ones(budget.raise_within), "valid")
    return int(((counts[1:] >= budget.raise_after) & (counts[:-1] < budget.raise_after)).sum())


def test_the_budget_is_kept_with_the_confidence_promised() -> None:
    """Machines whose mean and spread are drawn, commissioned on few recordings, then heard for a week."""
    rng = np.random.default_rng(0)
    budget, kept, weeks = AlarmBudget(raise_after=2, raise_within=3), 0, 150
    for _ in range(weeks):
        centre, spread = rng.normal(0.0, 3.0), 0.75 * np.exp(rng.normal(0.0, 0.3))
        tail = PredictiveTail.fit(rng.normal(centre, spread, 12), np.arange(12), prior_spread=0.75, prior_strength=4.0)
        week = rng.normal(centre, spread, 60_480)
        kept += alarms_in(week, limit_of(tail, None, budget, 0.0).value, budget) <= 3
    assert kept / weeks > CONFIDENCE - 0.05


def test_background_raises_the_threshold_only_where_a_margin_is_asked_for() -> None:
    with_margin = limit_of(QUIET, AMID, BUDGET, 0.3)
    without = limit_of(QUIET, AMID, AlarmBudget(background_margin=False), 0.3)
    assert with_margin.value > without.value + 2.0
    assert with_margin.threshold > without.threshold
    assert without == limit_of(QUIET, None, AlarmBudget(background_margin=False), 0.3)


def test_a_background_that_changes_nothing_lowers_nothing() -> None:
    faint = PredictiveTail(-1.0, 0.5, 20.0, 22.0)
    assert limit_of(QUIET, faint, BUDGET, 0.3).value == limit_of(QUIET, None, BUDGET, 0.3).value


def test_threshold_and_value_are_the_same_point() -> None:
    limit = limit_of(QUIET, AMID, BUDGET, 0.3)
    assert QUIET.log10_tail(limit.value) == pytest.approx(-limit.threshold)


def test_a_stricter_budget_and_longer_memory_of_neighbours_raise_it() -> None:
    plain = limit_of(QUIET, None, BUDGET, 0.3).value
    assert limit_of(QUIET, None, AlarmBudget(0.01), 0.3).value > plain
    assert limit_of(QUIET, None, BUDGET, 0.7).value > plain


def test_doubt_shrinks_with_evidence() -> None:
    widths = []
    for recordings in (5.0, 60.0):
        expected = limit_of(PredictiveTail(0.0, 1.0, recordings, recordings + 3.0), None, BUDGET, 0.3).expected
        assert 0.0 <= expected.low < expected.per_week < expected.high
        widths.append(np.log10(expected.high) - np.log10(max(expected.low, 1e-12)))
    assert widths[1] < widths[0]


def test_four_in_five_machines_keep_the_budget_by_their_own_account() -> None:
    expected = limit_of(QUIET, None, BUDGET, 0.3).expected
    assert expected.low < BUDGET.false_alarms_per_week < expected.high
