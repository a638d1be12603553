"""Collectors that read snapshots at the moment of a scrape, so that what is shown is never older than it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_agent.observe.readings import (
    ClipsReading,
    Counts,
    DeliveryReading,
    IntakeReading,
    LedgerReading,
    OutboxReading,
)


class LedgerCollector(Collector):
    """Sample ledgers: `captured = scored + skipped + lost + pending` holds within every scrape."""

    def __init__(self, read: Callable[[], Iterable[LedgerReading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading of every ledger."""
        labels = ["source", "channel"]
        captured = CounterMetricFamily(
            "edge_agent_samples_captured", "Samples the sample clock has passed.", labels=labels
        )
        scored = CounterMetricFamily(
            "edge_agent_samples_scored", "Samples that were part of a scored window.", labels=labels
        )
        skipped = CounterMetricFamily(
            "edge_agent_samples_skipped", "Samples rightly not scored, by reason.", labels=[*labels, "reason"]
        )
        lost = CounterMetricFamily(
            "edge_agent_samples_lost", "Samples that should have been scored and were not, by reason.",
            labels=[*labels, "reason"],
        )  # fmt: skip
        pending = GaugeMetricFamily("edge_agent_samples_pending", "Samples on their way to a score.", labels=labels)
        for reading in self._read():
            values = [reading.source, str(reading.channel)]
            captured.add_metric(values, reading.captured)
            scored.add_metric(values, reading.scored)
            pending.add_metric(values, reading.pending)
            for reason, samples in reading.skipped:
                skipped.add_metric([*values, reason], samples)
            for reason, samples in reading.lost:
                lost.add_metric([*values, reason], samples)
        yield from (captured, scored, skipped, lost, pending)

    def describe(self) -> Iterable[Metric]:
        """Names without reading, so that registering needs no ledger yet."""
        return ()


class IntakeCollector(Collector):
    """The way into the outbox."""

    def __init__(self, read: Callable[[], IntakeReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()
        yield GaugeMetricFamily(
            "edge_agent_intake_held_events",
            "Events held in memory because the outbox refused them.",
            value=reading.held,
        )
        yield CounterMetricFamily(
            "edge_agent_intake_given_up",
            "Events lost because the disk and the memory were full.",
            value=reading.given_up,
        )

    def describe(self) -> Iterable[Metric]:
        """Names without reading."""
        return ()


class OutboxCollector(Collector):
    """The outbox's books."""

    def __init__(self, read: Callable[[], OutboxReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()
        yield _gauges("edge_agent_outbox_events", "Events waiting, by priority.", "priority", reading.rows)
        yield GaugeMetricFamily(
            "edge_agent_outbox_payload_bytes", "Size of the events waiting.", value=reading.payload_bytes
        )
        yield GaugeMetricFamily(
            "edge_agent_outbox_oldest_age_seconds", "Age of the oldest event waiting.", value=reading.oldest_age_s
        )
        yield CounterMetricFamily("edge_agent_outbox_accepted", "Events accepted.", value=reading.accepted)
        yield _counters("edge_agent_outbox_dropped", "Events given up, by reason.", "reason", reading.dropped)
        yield _counters("edge_agent_outbox_errors", "Operations that failed, by reason.", "reason", reading.errors)
        yield CounterMetricFamily(
            "edge_agent_outbox_files_set_aside", "Damaged outbox files set aside.", value=reading.files_set_aside
        )

    def describe(self) -> Iterable[Metric]:
        """Names without reading."""
        return ()


class DeliveryCollector(Collector):
    """What the publisher did."""

    def __init__(self, read: Callable[[], DeliveryReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()
        yield GaugeMetricFamily("edge_agent_mqtt_connected", "1 while the broker is reached.", value=reading.connected)
        yield GaugeMetricFamily(
            "edge_agent_mqtt_in_flight_events", "Events sent and not acknowledged.", value=reading.in_flight
        )
        yield CounterMetricFamily(
            "edge_agent_mqtt_connections", "Connections that the broker accepted.", value=reading.connects
        )
        yield CounterMetricFamily(
            "edge_agent_mqtt_published", "Events that the broker acknowledged.", value=reading.published
        )
        yield CounterMetricFamily(
            "edge_agent_mqtt_replayed", "Acknowledged events that came from the backlog.", value=reading.replayed
        )
        yield GaugeMetricFamily(
            "edge_agent_mqtt_broker_position", "Place of the broker in use among the configured, 0 for the first.",
            value=reading.broker,
        )  # fmt: skip
        yield CounterMetricFamily(
            "edge_agent_mqtt_failovers", "Connections to another broker than before.", value=reading.failovers
        )
        refused = CounterMetricFamily(
            "edge_agent_mqtt_refused", "What the broker said no to, by its reason.", labels=["operation", "reason"]
        )
        for operation, reason, number in reading.refused:
            refused.add_metric([operation, reason], number)
        yield refused
        yield _counters("edge_agent_mqtt_failed", "Failed attempts to connect or send.", "reason", reading.failed)

    def describe(self) -> Iterable[Metric]:
        """Names without reading."""
        return ()


class ClipsCollector(Collector):
    """Kept sound."""

    def __init__(self, read: Callable[[], ClipsReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """One reading."""
        reading = self._read()
        yield _gauges("edge_agent_clips_stored", "Clips on the disk, by why they are kept.", "reason", reading.stored)
        yield _gauges("edge_agent_clips_stored_bytes", "Size of the clips on the disk.", "reason", reading.stored_bytes)
        yield _counters("edge_agent_clips_kept", "Clips written, by why they are kept.", "reason", reading.kept)
        dropped = CounterMetricFamily(
            "edge_agent_clips_dropped", "Clips wanted for a reason and not kept, by cause.", labels=["reason", "cause"]
        )
        for reason, cause, number in reading.dropped:
            dropped.add_metric([reason, cause], number)
        yield dropped
        yield _counters("edge_agent_clips_removed", "Clips that are gone again, by cause.", "cause", reading.removed)
        yield _counters("edge_agent_clips_errors", "Operations that the disk refused.", "reason", reading.errors)
        yield _counters(
            "edge_agent_clips_screened", "What the speech screen said of clips.", "verdict", reading.verdicts
        )
        yield GaugeMetricFamily(
            "edge_agent_clips_ring_bytes", "Memory of the last sound of all channels.", value=reading.ring_bytes
        )
        yield GaugeMetricFamily(
            "edge_agent_clips_waiting_bytes",
            "Memory of clips that wait to be written.",
            value=reading.waiting_bytes,
        )

    def describe(self) -> Iterable[Metric]:
        """Names without reading."""
        return ()


def _gauges(name: str, help_text: str, label: str, counts: Counts) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for value, number in counts:
        family.add_metric([value], number)
    return family


def _counters(name: str, help_text: str, label: str, counts: Counts) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, number in counts:
        family.add_metric([value], number)
    return family
