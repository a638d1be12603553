"""New bundles on their way into use, read at the moment of a scrape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_agent.observe.readings import UpdatesReading

PHASES = ("downloading", "verified", "refitting", "shadow")


class UpdatesCollector(Collector):
    """Which phase an update is in, how the shadow does, what was taken over and left."""

    def __init__(self, read: Callable[[], UpdatesReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()
        phases = GaugeMetricFamily(
            "edge_agent_model_update_phase", "1 in the phase that a new bundle is in.", labels=["phase"]
        )
        for phase in PHASES:
            phases.add_metric([phase], float(phase == reading.phase))
        yield phases
        yield GaugeMetricFamily(
            "edge_agent_model_confirmed", "1 once the bundle in use has done well.", value=float(reading.confirmed)
        )
        changes = CounterMetricFamily(
            "edge_agent_model_changes",
            "Bundles taken over, left for the last good one, refused, and left as the agent started, since the start.",
            labels=["outcome"],
        )
        for outcome, number in reading.changes:
            changes.add_metric([outcome], number)
        yield changes
        windows = CounterMetricFamily(
            "edge_agent_shadow_windows",
            "Windows that a new bundle scored beside the one in use, failed on, or was not shown for want of time.",
            labels=["outcome"],
        )
        for outcome, number in reading.windows:
            windows.add_metric([outcome], number)
        yield windows
        shift, ratio = reading.percentile_shift, reading.latency_ratio
        yield GaugeMetricFamily(
            "edge_agent_shadow_percentile_shift",
            "Mean of new less old percentile, points, of the machine where it is largest; NaN without a shadow.",
            value=math.nan if shift is None else shift,
        )
        yield GaugeMetricFamily(
            "edge_agent_shadow_latency_ratio",
            "Time of the new bundle for a window over that of the one in use, medians; NaN without a shadow.",
            value=math.nan if ratio is None else ratio,
        )
