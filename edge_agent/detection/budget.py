"""From the false alarms that an operator accepts to the probability that one normal window may exceed the threshold."""

import math
from dataclasses import dataclass

import numpy as np

from edge_agent.detection.errors import DetectionError

SECONDS_PER_WEEK = 604_800.0
_EXACT_WINDOWS = 12
_MAX_WINDOWS = 1000


@dataclass(frozen=True, slots=True)
class AlarmBudget:
    """What the operator sets: how often normal sound may raise an alarm, and how windows become one.

    Attributes:
        false_alarms_per_week: Accepted false alarms of this machine.
        raise_after: Anomalous windows that raise an alarm ...
        raise_within: ... among this many in a row.
        clear_after: Normal windows in a row that end it.
        hysteresis: Share by which the score must fall below the threshold for a window to count as normal again.
        window_hop_s: Seconds from one window's start to the next.
        latch: Whether an alarm stays until somebody acknowledges it.
        background_margin: Whether the threshold holds amid background that commissioning did not hear, up to 12 dB
            below the machine's own sound.
    """

    false_alarms_per_week: float = 1.0
    raise_after: int = 6
    raise_within: int = 10
    clear_after: int = 6
    hysteresis: float = 0.1
    window_hop_s: float = 10.0
    latch: bool = False
    background_margin: bool = True

    def __post_init__(self) -> None:
        """Refuse a budget that no threshold can keep."""
        if not 0.0 < self.false_alarms_per_week <= 1e6 or not 0.0 < self.window_hop_s <= 3600.0:
            raise DetectionError(
                f"budget of {self.false_alarms_per_week} false alarms a week with a window every {self.window_hop_s} s "
                "is not possible; both must be positive"
            )
        if not 1 <= self.raise_after <= self.raise_within <= _MAX_WINDOWS or not 1 <= self.clear_after <= _MAX_WINDOWS:
            raise DetectionError(
                f"raise after {self.raise_after} of {self.raise_within}, clear after {self.clear_after}: counts must "
                f"be 1 to {_MAX_WINDOWS}, raise_after at most raise_within"
            )
        if not 0.0 <= self.hysteresis < 1.0:
            raise DetectionError(f"hysteresis {self.hysteresis} must be at least 0 and below 1")

    @property
    def windows_per_week(self) -> float:
        """Results of one machine in a week."""
        return SECONDS_PER_WEEK / self.window_hop_s

    def alarms_per_week(self, window_probability: float, correlation: float) -> float:
        """Expected false alarms, where each normal window exceeds the threshold with this probability."""
        persistence = persistence_of(window_probability, correlation)
        rate = alarm_rate(window_probability, persistence, self.raise_after, self.raise_within)
        return self.windows_per_week * rate

    def window_probability(self, correlation: float) -> float:
        """The largest probability of one normal window above the threshold that keeps the budget.

        Args:
            correlation: Of the scores of neighbouring windows, 0 to 1: a passing lorry lasts longer than a window.
        """
        low, high = -12.0, math.log10(0.3)
        if self.alarms_per_week(10.0**high, correlation) <= self.false_alarms_per_week:
            return float(10.0**high)
        for _ in range(60):
            middle = 0.5 * (low + high)
            if self.alarms_per_week(10.0**middle, correlation) > self.false_alarms_per_week:
                high = middle
            else:
                low = middle
        return float(10.0**low)


def persistence_of(probability: float, correlation: float) -> float:
    """Probability that the window after an exceedance exceeds too, for normally distributed neighbours.

    >>> round(persistence_of(0.01, 0.0), 4), persistence_of(0.01, 0.5) > 0.1
    (0.01, True)
    """
    if correlation <= 0.0:
        return probability
    correlation = min(correlation, 0.99)
    threshold = normal_quantile(probability)
    x = np.linspace(threshold, threshold + 8.0, 801)
    density = np.exp(-0.5 * (x**2 - threshold**2))  # relative: no underflow far out
    inner = (threshold - correlation * x) / math.sqrt(1.0 - correlation**2)
    follows = np.array([0.5 * math.erfc(v / math.sqrt(2.0)) for v in inner.tolist()])
    return float(np.clip((density * follows).sum() / density.sum(), probability, 1.0))


def alarm_rate(probability: float, persistence: float, k: int, n: int) -> float:
    """Alarms raised per window: how often k of the last n windows exceed where fewer did one window before.

    Exceedances follow a two-state Markov chain with the given share and persistence. Exact for n up to 12; beyond that
    every exceedance that k - 1 others follow within n windows counts, which is too many rather than too few.

    >>> round(alarm_rate(0.01, 0.01, 1, 1), 6)
    0.0099
    """
    onset = probability * (1.0 - persistence) / max(1.0 - probability, 1e-12)
    if n > _EXACT_WINDOWS:
        return probability * _completes(onset, persistence, k - 1, n - 1)
    size = 1 << n
    patterns = np.arange(size)
    last = patterns & 1
    chance = np.where(last == 1, probability, 1.0 - probability)
    for shift in range(1, n):
        later, earlier = (patterns >> (shift - 1)) & 1, (patterns >> shift) & 1
        back = np.where(  # a stationary two-state chain is reversible
            later == 1,
            np.where(earlier == 1, persistence, 1.0 - persistence),
            np.where(earlier == 1, onset, 1.0 - onset),
        )
        chance = chance * back
    count = np.array([int(p).bit_count() for p in patterns])
    oldest = patterns >> (n - 1)
    step = np.where(last == 1, persistence, onset)  # next window exceeds
    raises = (count == k - 1) & (oldest == 0)  # the next exceedance makes k, and none drops out
    return float((chance * step * raises).sum())


def _completes(onset: float, persistence: float, needed: int, windows: int) -> float:
    """Probability of at least `needed` exceedances in the `windows` after one."""
    exceed = np.zeros(needed + 1)
    quiet = np.zeros(needed + 1)
    exceed[0] = 1.0
    for _ in range(windows):
        new_exceed = np.zeros_like(exceed)
        rises = exceed * persistence + quiet * onset
        new_exceed[1:] = rises[:-1]
        new_exceed[-1] += rises[-1]
        quiet = exceed * (1.0 - persistence) + quiet * (1.0 - onset)
        exceed = new_exceed
    return float(exceed[-1] + quiet[-1])


def normal_quantile(probability: float) -> float:
    """The z that a standard normal variable exceeds with this probability."""
    low, high = -9.0, 38.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(middle / math.sqrt(2.0)) > probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
