import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget, alarm_rate, persistence_of
from edge_agent.detection.errors import DetectionError


def simulated_rate(probability: float, persistence: float, k: int, n: int, windows: int = 2_000_000) -> float:
    """Raises per window, counted in a simulated chain of exceedances."""
    rng = np.random.default_rng(1)
    onset = probability * (1 - persistence) / (1 - probability)
    draws = rng.random(windows)
    exceeds, now = np.zeros(windows, bool), False
    for i, draw in enumerate(draws):
        now = draw < (persistence if now else onset)
        exceeds[i] = now
    counts = np.convolve(exceeds, np.ones(n), "valid")
    return float(np.mean((counts[1:] >= k) & (counts[:-1] < k)))


@pytest.mark.parametrize(
    ("probability", "persistence", "k", "n"),
    [(0.05, 0.05, 1, 1), (0.05, 0.05, 3, 5), (0.03, 0.4, 3, 5), (0.1, 0.2, 2, 8)],
)
def test_rate_is_what_a_simulated_stream_shows(probability: float, persistence: float, k: int, n: int) -> None:
    exact = alarm_rate(probability, persistence, k, n)
    assert exact == pytest.approx(simulated_rate(probability, persistence, k, n), rel=0.08)


def test_long_memories_count_too_many_rather_than_too_few() -> None:
    exact, bound = alarm_rate(0.01, 0.1, 3, 12), alarm_rate(0.01, 0.1, 3, 13)
    assert exact < bound < 3 * exact


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 5), (6, 10), (5, 40)])
def test_probability_keeps_the_budget(k: int, n: int, correlation: float) -> None:
    budget = AlarmBudget(false_alarms_per_week=2.0, raise_after=k, raise_within=n)
    probability = budget.window_probability(correlation)
    assert budget.alarms_per_week(probability, correlation) == pytest.approx(2.0, rel=1e-3)


def test_one_of_one_is_the_naive_figure() -> None:
    budget = AlarmBudget(false_alarms_per_week=1.0, raise_after=1, raise_within=1)
    assert budget.window_probability(0.0) == pytest.approx(1 / 60_480, rel=1e-3)


def test_a_correlated_stream_needs_a_rarer_threshold() -> None:
    budget = AlarmBudget()
    assert budget.window_probability(0.6) < budget.window_probability(0.3) < budget.window_probability(0.0)


def test_persistence_is_that_of_normal_neighbours() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(400_000)
    y = 0.5 * x + np.sqrt(0.75) * rng.standard_normal(400_000)
    limit = 2.0537  # exceeded by 2 %
    assert persistence_of(0.02, 0.5) == pytest.approx(float(np.mean(y[x > limit] > limit)), rel=0.08)


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_alarms_per_week": 0.0},
        {"false_alarms_per_week": float("nan")},
        {"raise_after": 11},
        {"raise_after": 0},
        {"clear_after": 0},
        {"hysteresis": 1.0},
        {"window_hop_s": -1.0},
    ],
)
def test_impossible_budgets_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DetectionError):
        AlarmBudget(**wrong)  # type: ignore[arg-type]  # the table's point
