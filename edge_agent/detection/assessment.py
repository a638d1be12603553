"""Health assessment: a machine's health from its own baseline, its trend, and the days that are left."""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from edge_agent.detection.verdict import Verdict

Zone = Literal["A", "B", "C", "D"]

NORMAL_EVIDENCE = math.log10(math.e)
"""Mean of `-log10 p` over normal windows: p is then uniform."""

_NS_PER_DAY = 86_400 * 1_000_000_000
_ZONES: tuple[tuple[float, Zone], ...] = ((0.75, "A"), (0.5, "B"), (0.25, "C"))


@dataclass(frozen=True, slots=True)
class HealthAssessment:
    """How a machine does.

    Attributes:
        index: 1 as at commissioning, 0 at the alarm limit or beyond.
        zone: A to D by quarters of the index; named after the zones of ISO 20816, but statistical and no limit of it.
        windows: Windows behind it.
        trend_per_day: Change of the index per day; None before a day was heard.
        days_to_limit: Days until the trend meets 0; None where it does not fall.
    """

    index: float
    zone: Zone
    windows: int
    trend_per_day: float | None
    days_to_limit: float | None


@dataclass(frozen=True, slots=True)
class AssessorMemory:
    """What an assessor knows, to go on from after a restart.

    Attributes:
        score: Exponential mean of the scores; None before the first window.
        windows: Windows behind it.
        hourly: Points of the trend, `(wall time in nanoseconds, index)`, in order of time.
    """

    score: float | None
    windows: int
    hourly: tuple[tuple[int, float], ...]


class HealthAssessor:
    """Follows one machine. Pure: time comes with the windows.

    The index is an exponential mean of the scores, between what normal windows have and the threshold. The trend is
    a straight line through the index of the last days, one point an hour.

    Args:
        smoothing_windows: Time constant of the mean; an hour of windows by default.
        trend_days: How far back the trend looks.
        memory: What a former one knew.
    """

    def __init__(
        self, smoothing_windows: int = 360, trend_days: float = 14.0, memory: AssessorMemory | None = None
    ) -> None:
        self._alpha = 1.0 / smoothing_windows
        self._span_ns = int(trend_days * _NS_PER_DAY)
        self._score: float | None = None
        self._windows = 0
        self._hourly: deque[tuple[int, float]] = deque()
        if memory is not None:
            self._score, self._windows = memory.score, memory.windows
            self._hourly.extend(memory.hourly)

    @property
    def memory(self) -> AssessorMemory:
        """What it knows."""
        return AssessorMemory(self._score, self._windows, tuple(self._hourly))

    def update(self, verdict: Verdict, window_start_ns: int) -> HealthAssessment | None:
        """Take a window; None while the input is unfit to tell."""
        if verdict.blocked:
            return None
        self._windows += 1
        # the first windows weigh alike, or the first one alone would be the mean for an hour
        alpha = max(self._alpha, 1.0 / self._windows)
        capped = min(verdict.score, 2.0 * verdict.threshold)
        self._score = capped if self._score is None else self._score + alpha * (capped - self._score)
        span = verdict.threshold - NORMAL_EVIDENCE
        used = (self._score - NORMAL_EVIDENCE) / span if span > 0 else 1.0
        index = 1.0 - min(1.0, max(0.0, used))
        self._remember(window_start_ns, index)
        trend = self._trend_per_day()
        days = index / -trend if trend is not None and trend < 0 else None
        zone: Zone = next((name for limit, name in _ZONES if index >= limit), "D")
        return HealthAssessment(index, zone, self._windows, trend, days)

    def _remember(self, now_ns: int, index: float) -> None:
        while self._hourly and self._hourly[-1][0] > now_ns:
            self._hourly.pop()  # of a clock that was wrong: it would keep new points out until then
        if not self._hourly or now_ns - self._hourly[-1][0] >= _NS_PER_DAY // 24:
            self._hourly.append((now_ns, index))
        while self._hourly and now_ns - self._hourly[0][0] > self._span_ns:
            self._hourly.popleft()

    def _trend_per_day(self) -> float | None:
        if len(self._hourly) < 3 or self._hourly[-1][0] - self._hourly[0][0] < _NS_PER_DAY:
            return None
        origin = self._hourly[0][0]
        days = [(at - origin) / _NS_PER_DAY for at, _ in self._hourly]
        mean_day = sum(days) / len(days)
        mean_index = sum(index for _, index in self._hourly) / len(days)
        variance = sum((day - mean_day) ** 2 for day in days)
        covariance = sum((d - mean_day) * (i - mean_index) for d, (_, i) in zip(days, self._hourly, strict=True))
        return covariance / variance
