"""The threshold that keeps a budget of false alarms, so far as a few recordings can promise it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.budget import AlarmBudget, normal_quantile
from edge_agent.detection.calibration import PredictiveTail
from edge_agent.detection.tails import normal_log10_sf

FloatArray = NDArray[np.float64]

CONFIDENCE = 0.9
"""With which the budget is kept, where mean and spread of normal sound are known but roughly."""

_RAREST_Z = 30.0
_GRID = 24


@dataclass(frozen=True, slots=True)
class ExpectedAlarms:
    """False alarms per week at the threshold, as far as the held-out windows tell.

    Attributes:
        per_week: As likely to be exceeded as not: the median of what it may really be.
        low: 5th percentile of what it may really be.
        high: 95th percentile.
    """

    per_week: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold and what it promises.

    Attributes:
        value: The fused value from which a window is anomalous.
        threshold: The same as a score, `-log10 p` of a normal window in quiet.
        expected: False alarms per week to expect.
    """

    value: float
    threshold: float
    expected: ExpectedAlarms


def limit_of(quiet: PredictiveTail, amid: PredictiveTail | None, budget: AlarmBudget, correlation: float) -> Limit:
    """The lowest threshold that keeps the budget with a confidence of 0.9, in quiet and amid background.

    A threshold at the budget's probability of one window would keep it on average over windows, but alarms need several
    windows: where the mean of the next session lies higher than thought, all windows do. So the doubt about mean and
    spread counts as a whole, not window by window.

    Args:
        quiet: Normal fused values as commissioning heard them; what scores are told by.
        amid: The same amid background; None where the budget leaves no margin for it.
        budget: Accepted false alarms, and how windows become one.
        correlation: Of the values of neighbouring windows.
    """
    z = normal_quantile(budget.window_probability(correlation))
    tails = [quiet] if amid is None or not budget.background_margin else [quiet, amid]
    values = [_keeping(tail, z) for tail in tails]
    value = max(values)
    threshold = -quiet.log10_tail(value)
    return Limit(value, threshold, _expected(tails[int(np.argmax(values))], value, budget, correlation))


def _keeping(tail: PredictiveTail, z: float) -> float:
    centres, spreads = tail.plausible()
    return float(np.quantile(centres + spreads * z, CONFIDENCE))


def _expected(tail: PredictiveTail, value: float, budget: AlarmBudget, correlation: float) -> ExpectedAlarms:
    centres, spreads = tail.plausible()
    z = np.clip((value - centres) / spreads, 0.0, _RAREST_Z)
    grid = np.linspace(0.0, max(float(z.max()), 1e-6), _GRID)
    rates = [budget.alarms_per_week(10.0 ** normal_log10_sf(g), correlation) for g in grid.tolist()]
    log_rates = np.interp(z, grid, [math.log(max(rate, 1e-300)) for rate in rates])
    low, middle, high = np.exp(np.quantile(log_rates, [0.05, 0.5, 0.95])).tolist()
    return ExpectedAlarms(middle, low, high)
