"""How severe an anomaly is, from scores that may jump from window to window."""

from collections import deque

from edge_agent.alarms.alarm import Severity

HIGH_RATIO = 2.0
CRITICAL_RATIO = 4.0
"""Scores are `-log10` of a probability: twice the threshold is its square."""


class SeverityMeter:
    """Severity that at least k of the last n windows bear out, so that one loud window is no step up.

    Args:
        windows: k, as many as raise an alarm.
        within: n.

    >>> meter = SeverityMeter(windows=2, within=3)
    >>> [meter.update(score, 3.0).word for score in (3.1, 20.0, 7.0, 13.0)]
    ['medium', 'medium', 'high', 'critical']
    """

    def __init__(self, *, windows: int, within: int) -> None:
        self._windows = windows
        self._ratios: deque[float] = deque(maxlen=within)

    def update(self, score: float, threshold: float) -> Severity:
        """Take a window's score; returns the severity now."""
        self._ratios.append(score / threshold if threshold > 0 else 1.0)
        return self.severity

    @property
    def severity(self) -> Severity:
        """Severity by the windows so far."""
        borne_out = sorted(self._ratios, reverse=True)[self._windows - 1 : self._windows]
        ratio = borne_out[0] if borne_out else 1.0
        if ratio >= CRITICAL_RATIO:
            return Severity.CRITICAL
        return Severity.HIGH if ratio >= HIGH_RATIO else Severity.MEDIUM
