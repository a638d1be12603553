"""What the shadow adds up to, and how the first windows are judged."""

import pytest

from edge_agent.sync.updates.comparison import Comparison, Pair
from edge_agent.sync.updates.probation import MAX_FAULTS, WINDOWS, Probation


def pair(machine: str = "a", old: float = 50.0, new: float = 50.0, **more: object) -> Pair:
    return Pair(machine, old, new, old > 99, new > 99, **more)  # type: ignore[arg-type]


def test_nothing_compared_says_nothing() -> None:
    report = Comparison().report()
    assert (report.windows, report.latency_ratio, report.percentile_shift, report.exceedance_new) == (
        0,
        None,
        None,
        None,
    )


def test_the_machine_that_moves_most_is_told() -> None:
    comparison = Comparison(errors=2)
    for machine, new in (("a", 55.0), ("b", 20.0), ("b", 30.0)):
        comparison.add(pair(machine, 50.0, new))
    comparison.add(pair("a", 50.0, 99.9, old_s=0.01, new_s=0.03))
    report = comparison.report()
    assert (report.windows, report.errors) == (4, 2)
    assert report.percentile_shift == pytest.approx((5.0 + 49.9) / 2)
    assert report.exceedance_new == 0.25
    assert report.exceedance_old == 0.0
    assert report.latency_ratio == pytest.approx(3.0)


def test_each_machine_must_have_been_compared() -> None:
    comparison = Comparison()
    for _ in range(5):
        comparison.add(pair("a"))
    assert comparison.enough(frozenset({"a"}), 5)
    assert not comparison.enough(frozenset({"a", "b"}), 1)


def test_good_windows_confirm_and_faults_end_it() -> None:
    good = Probation()
    assert [good.window(fault=False) for _ in range(WINDOWS)] == [None] * (WINDOWS - 1) + ["confirmed"]
    bad = Probation()
    assert [bad.window(fault=True) for _ in range(MAX_FAULTS + 1)] == [None] * MAX_FAULTS + ["failed"]
    mixed = Probation()
    for number in range(20):
        assert mixed.window(fault=number % 10 == 9) is None
