"""What the publisher tells, in metrics."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from edge_agent.agent.telling.uplink import SINK, DeliveryWatch
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.observe.health import Health, HealthLimits, Kind
from edge_agent.observe.metrics import Metrics
from tests.delivery import samples


@pytest.mark.parametrize(
    ("timely", "replayed", "observed"),
    [(True, False, 1.0), (True, True, 0.0), (False, False, 0.0)],
    ids=["now", "from the backlog", "faster or slower than time"],
)
def test_the_delay_of_an_event_is_observed_where_it_means_something(
    timely: bool, replayed: bool, observed: float
) -> None:
    registry, health = CollectorRegistry(), Health(HealthLimits())
    health.register(SINK, Kind.SINK, now_s=0.0)
    message = samples.result_message()
    clock = SystemClock(lambda: 0, lambda: message.occurred_ns + 2 * NS_PER_S)
    watch = DeliveryWatch(Metrics(registry), health, clock, timely=frozenset({message.topic} if timely else ()))
    watch.published(message, replayed=replayed)
    assert registry.get_sample_value("edge_agent_publish_latency_seconds_count") == observed
    assert registry.get_sample_value("edge_agent_publish_latency_seconds_sum") == 2.0 * observed
