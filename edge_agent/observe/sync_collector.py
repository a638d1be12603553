"""The sync with the hub, read at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_agent.observe.readings import Counts, SyncReading


class SyncCollector(Collector):
    """What went to the hub, what waits, and what failed."""

    def __init__(self, read: Callable[[], SyncReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()

        def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"edge_agent_sync_{name}", text, value=value)

        def counter(name: str, text: str, value: float) -> CounterMetricFamily:
            return CounterMetricFamily(f"edge_agent_sync_{name}", text, value=value)

        def by(name: str, text: str, label: str, counts: Counts) -> CounterMetricFamily:
            family = CounterMetricFamily(f"edge_agent_sync_{name}", text, labels=[label])
            for value, number in counts:
                family.add_metric([value], number)
            return family

        yield gauge("hub_reached", "1 while the hub answers.", reading.answers)
        yield gauge(
            "last_success_timestamp_seconds",
            "Wall time of the hub's last good answer; 0 before.",
            reading.last_success_s,
        )
        yield by("failures", "Requests that failed, by reason; they are repeated.", "reason", reading.failures)
        yield counter("reports", "Reports that the hub took.", reading.reports)
        yield counter("clips_acknowledged", "Clips that the hub has on its disk.", reading.clips)
        yield counter("files", "Files sent for them; the hub had the others.", reading.files)
        yield counter("sent_bytes", "Size of the files and events sent.", reading.sent_bytes)
        yield gauge("clips_waiting", "Clips that are to be sent.", reading.waiting)
        yield gauge("clips_waiting_bytes", "Size of the clips that are to be sent.", reading.waiting_bytes)
        aside = GaugeMetricFamily(
            "edge_agent_sync_clips_set_aside", "Clips that are not sent, by reason.", labels=["reason"]
        )
        for reason, number in reading.aside:
            aside.add_metric([reason], number)
        yield aside
        labels = (("up", reading.labels_sent), ("down", reading.labels_taken))
        yield by("labels", "Labels carried after their clip was sent.", "direction", labels)
        events = (
            ("there", reading.events_there),
            ("sent", reading.events_sent),
            ("refused", reading.events_refused),
        )
        yield by(
            "events_reconciled",
            "Events asked for by id: the hub had them, was sent them, or did not want them.",
            "outcome",
            events,
        )
        yield gauge(
            "events_waiting", "Events that the broker took and the hub was not asked for yet.", reading.events_waiting
        )
        yield gauge("journal_bytes", "Size of the events kept until the hub has them.", reading.journal_bytes)
        yield gauge("journal_held_events", "Events that wait in memory for the journal's disk.", reading.journal_held)
        yield by(
            "journal_lost",
            "Events gone from the journal before the hub was known to have them.",
            "reason",
            reading.journal_lost,
        )

    def describe(self) -> Iterable[Metric]:
        """Names without reading."""
        return ()
