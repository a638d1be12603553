"""Brokers in order, and back to the first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.delivery.mqtt import Publisher
from edge_agent.delivery.mqtt_settings import Endpoint, MqttSettings
from edge_agent.delivery.outbox import MemoryOutbox
from edge_agent.delivery.rota import Rota
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, Subscriber, needs_mosquitto, wait_until

THREE = MqttSettings(host="a", port=1, fallback=(Endpoint("b", 2), Endpoint("c", 3)), return_after_s=300.0)


def test_each_has_its_turn_and_waiting_comes_after_the_last() -> None:
    rota = Rota(THREE, probe=lambda broker: False)
    turns = [(str(rota.broker), rota.next()) for _ in range(6)]
    assert turns == [("a:1", False), ("b:2", False), ("c:3", True)] * 2
    assert Rota(MqttSettings()).next()


def test_each_is_spoken_to_in_its_own_version() -> None:
    rota = Rota(THREE)
    rota.dialect.refused()
    assert not rota.dialect.mqtt5
    rota.next()
    assert rota.dialect.mqtt5
    assert (rota.settings.host, rota.settings.port) == ("b", 2)


def test_a_failover_counts_where_another_one_serves() -> None:
    rota = Rota(THREE)
    rota.reached()
    rota.next()
    rota.next()
    assert rota.failovers == 0
    rota.reached()
    rota.reached()
    assert rota.failovers == 1


def test_the_first_is_looked_for_now_and_then() -> None:
    probed: list[Endpoint] = []

    def probe(broker: Endpoint) -> bool:
        probed.append(broker)
        return len(probed) == 2

    rota = Rota(THREE, probe)
    assert not rota.first_is_back(0.0)  # it serves itself
    rota.next()
    answers = [rota.first_is_back(now_s) for now_s in (0.0, 299.0, 300.0, 301.0, 600.0)]
    assert answers == [False, False, False, False, True]
    assert probed == [Endpoint("a", 1)] * 2
    rota.returned()
    assert (rota.place, rota.returning) == (0, False)


def test_a_first_broker_that_answers_and_does_not_serve_is_looked_for_less_and_less_often() -> None:
    rota, now_s, waits_s = Rota(THREE, probe=lambda _: True), 0.0, []
    for _ in range(8):
        rota.next()
        begun_s = now_s
        while not rota.first_is_back(now_s):
            now_s += 10.0
        waits_s.append(now_s - begun_s)
        rota.returned()
    assert waits_s == [300.0, 600.0, 1200.0, 2400.0, 3600.0, 3600.0, 3600.0, 3600.0]
    rota.reached()
    rota.next()
    rota.reached()
    assert not rota.first_is_back(now_s)
    assert rota.first_is_back(now_s + 300.0)


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[tuple[Broker, Broker]]:
    pair = Broker(tmp_path / "first"), Broker(tmp_path / "second")
    pair[1].start()
    yield pair
    for broker in pair:
        broker.stop()


@needs_mosquitto
def test_no_event_is_lost_from_broker_to_broker_and_back(brokers: tuple[Broker, Broker]) -> None:
    first, second = brokers
    outbox = MemoryOutbox()
    settings = MqttSettings(
        host="127.0.0.1", port=first.port, fallback=(Endpoint("127.0.0.1", second.port),), return_after_s=0.2,
        backoff_min_s=0.05,
    )  # fmt: skip
    publisher = Publisher(
        settings,
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=lambda: 0.5,
        wall_ns=time.time_ns,
    )
    there = Subscriber(second.port, client_id="there")
    publisher.start()
    wait_until(lambda: publisher.stats().connected, what="the second broker")
    outbox.put(samples.result_message())
    publisher.notify()
    wait_until(lambda: outbox.stats().total_rows == 0, what="taken by the second")
    assert publisher.stats().broker == 1
    first.start()
    here = Subscriber(first.port, client_id="here")
    wait_until(lambda: publisher.stats().broker == 0 and publisher.stats().connects == 2, what="back to the first")
    outbox.put(samples.result_message())
    publisher.notify()
    wait_until(lambda: any(each.topic.endswith("result") for each in here.heard), what="taken by the first")
    assert sum(each.topic.endswith("result") for each in there.heard) == 1
    assert publisher.stats().failovers == 2
    publisher.stop()
    for subscriber in (here, there):
        subscriber.close()
