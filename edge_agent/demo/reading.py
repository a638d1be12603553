"""What the demo reads off the agent's `/metrics`."""

import math
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

ALARM_ON = ("unacknowledged", "acknowledged")
"""States of an alarm whose condition lasts."""


@dataclass(frozen=True)
class Reading:
    """One scrape of an agent with one machine on one channel; samples at the source's rate.

    Attributes:
        captured: Samples captured.
        scored: Of them in a scored window.
        skipped: Rightly not scored.
        lost: Lost.
        pending: On their way.
        windows: Windows finished.
        published: Events that the broker acknowledged.
        waiting: Events that wait in the outbox.
        score: Of the last window; None before it.
        threshold: Of the last window; None before it.
        level_dbfs: Of the last window; None before it, and for silence.
        alarm: Whether the machine's alarm is on.
    """

    captured: int
    scored: int
    skipped: int
    lost: int
    pending: int
    windows: int
    published: int
    waiting: int
    score: float | None
    threshold: float | None
    level_dbfs: float | None
    alarm: bool

    @property
    def balances(self) -> bool:
        """Whether every sample is accounted for."""
        return self.captured == self.scored + self.skipped + self.lost + self.pending


def read_metrics(text: str) -> Reading:
    """Read an exposition.

    >>> reading = read_metrics('''# TYPE edge_agent_samples_captured counter
    ... edge_agent_samples_captured_total{source="m",channel="0"} 8.0
    ... # TYPE edge_agent_samples_lost counter
    ... edge_agent_samples_lost_total{source="m",channel="0",reason="overrun"} 3.0
    ... edge_agent_samples_lost_total{source="m",channel="0",reason="unplugged"} 5.0
    ... ''')
    >>> reading.captured, reading.lost, reading.balances, reading.score
    (8, 8, True, None)
    """
    sums: dict[str, float] = {}
    alarm = False
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
            if sample.name == "edge_agent_alarm_state" and sample.labels["state"] in ALARM_ON and sample.value:
                alarm = True

    def whole(name: str) -> int:
        return int(sums.get(f"edge_agent_{name}", 0.0))

    def measured(name: str) -> float | None:
        value = sums.get(f"edge_agent_window_{name}", math.nan)
        return None if math.isnan(value) else value

    return Reading(
        captured=whole("samples_captured_total"),
        scored=whole("samples_scored_total"),
        skipped=whole("samples_skipped_total"),
        lost=whole("samples_lost_total"),
        pending=whole("samples_pending"),
        windows=whole("windows_total"),
        published=whole("mqtt_published_total"),
        waiting=whole("outbox_events"),
        score=measured("score"),
        threshold=measured("threshold"),
        level_dbfs=measured("level_dbfs"),
        alarm=alarm,
    )
