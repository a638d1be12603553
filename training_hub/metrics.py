"""The hub's own metrics: `training_hub_*`, base units, bounded labels."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

import edge_agent

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HubMetrics:
    """All of them, on a registry of their own.

    Attributes:
        registry: What `/metrics` shows.
        requests: Requests answered, by method, route (its template) and status.
        request_seconds: Time from a request's head to the end of its answer.
        clip_files, clip_records: What gateways sent, by outcome.
        clip_bytes: Of files that were stored.
        events: By `via` and outcome.
        broker_connected: 1 while connected, per broker.
        reports: Of gateways.
        orphans: Objects without a record that were removed.
        removed: What was removed for its age, by kind.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        Info("training_hub_build", "Version of the hub.", registry=registry).info({"version": edge_agent.__version__})
        self.requests = Counter(
            "training_hub_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "training_hub_http_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.clip_files = Counter(
            "training_hub_clip_files", "Files of clips that gateways sent.", ("outcome",), registry=registry
        )
        self.clip_records = Counter(
            "training_hub_clip_records", "Records of clips that gateways sent.", ("outcome",), registry=registry
        )
        self.clip_bytes = Counter("training_hub_clip_bytes", "Bytes of files that were stored.", registry=registry)
        self.events = Counter(
            "training_hub_events", "Events of gateways, by how they came.", ("via", "outcome"), registry=registry
        )
        self.broker_connected = Gauge(
            "training_hub_broker_connected", "1 while the hub hears this broker.", ("broker",), registry=registry
        )
        self.reports = Counter("training_hub_gateway_reports", "Reports of gateways.", registry=registry)
        self.orphans = Counter(
            "training_hub_orphans_removed", "Stored files that no record named for a day.", registry=registry
        )
        self.removed = Counter(
            "training_hub_retention_removed",
            "Rows and files that were removed for their age.",
            ("what",),
            registry=registry,
        )
