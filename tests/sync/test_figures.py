"""What a report tells of the machines: once, and of the models in use alone."""

from __future__ import annotations

import pytest

from edge_agent.sync.figures import Figures


def window(figures: Figures, *, computing_s: float, latency_s: float = 0.1) -> None:
    figures.window("fan_1", "fan", percentile=50.0, anomalous=False, latency_s=latency_s)
    figures.computed(computing_s)


def test_computing_is_the_mean_of_the_windows_not_told_yet() -> None:
    figures = Figures()
    assert figures.now().window_computing_s is None
    window(figures, computing_s=0.01)
    window(figures, computing_s=0.03)
    told = figures.now()
    assert told.window_computing_s == pytest.approx(0.02)
    window(figures, computing_s=0.5)
    figures.told(told)
    assert figures.now().window_computing_s == pytest.approx(0.5)


def test_what_the_hub_did_not_take_is_told_again() -> None:
    figures = Figures()
    window(figures, computing_s=0.01)
    figures.now()
    window(figures, computing_s=0.03)
    assert figures.now().window_computing_s == pytest.approx(0.02)


def test_with_other_models_times_begin_anew_and_counts_do_not() -> None:
    figures = Figures()
    window(figures, computing_s=0.01, latency_s=0.1)
    told = figures.now()
    figures.anew()
    window(figures, computing_s=0.4, latency_s=2.0)
    figures.told(told)
    now = figures.now()
    assert now.window_computing_s == pytest.approx(0.4)
    assert now.window_latency_s == pytest.approx(2.0)
    assert [each.windows for each in now.machines] == [1]
