"""Events by the broker: acknowledged once they are on the disk, once each, whichever way they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import func, select

from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.certificates import make_certificates, needs_openssl, tls_listener
from tests.support.events import alarm, result, status
from tests.support.hub import Hub
from training_hub.catalogue.tables import Event
from training_hub.config.mqtt import BrokerSection, BrokerTlsSection
from training_hub.intake.mqtt import BrokerListener

pytestmark = needs_mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as made:
        made.start()
        yield made


def _listener(hub: Hub, broker: Broker, role: str = "serve", **settings: Any) -> BrokerListener:  # noqa: ANN401
    section = BrokerSection(host="127.0.0.1", port=broker.port, **settings)
    return BrokerListener(hub.parts, section, {}, role=role)


def _publish(
    broker: Broker, *events: dict[str, Any], gateway: str = "gw_1", topic: str = "machine/pump_1/result"
) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for event in events:
        payload = json.dumps(event, separators=(",", ":"))
        client.publish(f"edge_agent/plant_1/{gateway}/{topic}", payload, qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def _rows(hub: Hub, via: str | None = None) -> int:
    wanted = select(func.count()).select_from(Event)
    with hub.parts.database.transaction(writes=False) as session:
        return session.scalar(wanted if via is None else wanted.where(Event.via == via)) or 0


def _counted(hub: Hub, outcome: str) -> float:
    return hub.parts.registry.get_sample_value("training_hub_events_total", {"via": "mqtt", "outcome": outcome}) or 0.0


def _connected(hub: Hub, broker: Broker) -> bool:
    name = {"broker": f"127.0.0.1:{broker.port}"}
    return hub.parts.registry.get_sample_value("training_hub_broker_connected", name) == 1.0


def test_events_are_heard_once_by_whichever_way_they_come(hub: Hub, broker: Broker) -> None:
    gateway = hub.gateway()
    listener = _listener(hub, broker)
    listener.start()
    wait_until(lambda: _connected(hub, broker), 60, "the connection")
    _publish(broker, result(1), result(2), result(2))
    _publish(broker, alarm(3, number=1, state="unacknowledged"), topic="machine/pump_1/alarm")
    _publish(broker, status(4), topic="status")
    _publish(broker, {"verb": "reload"}, topic="cmd/reload")
    _publish(broker, {"no": "event"})
    _publish(broker, result(5, gateway="gw_9"), gateway="gw_9")
    wait_until(lambda: _counted(hub, "unknown_gateway") == 1, 60, "all to be heard")
    answer = gateway.post("/api/v1/events", json={"events": [result(1), result(6)]})
    assert answer.json() == {"accepted": 1, "repeated": 1, "refused": []}
    assert (_rows(hub, "mqtt"), _rows(hub, "http")) == (4, 1)
    assert (_counted(hub, "accepted"), _counted(hub, "repeated"), _counted(hub, "refused")) == (4, 1, 1)
    assert listener.alive()
    listener.stop()


def test_what_comes_while_no_hub_is_there_waits_at_the_broker(hub: Hub, broker: Broker) -> None:
    hub.gateway()
    first = _listener(hub, broker)
    first.start()
    wait_until(lambda: _connected(hub, broker), 60, "the connection")
    _publish(broker, result(1))
    wait_until(lambda: _rows(hub) == 1, 60, "the first event")
    first.stop()
    _publish(broker, *(result(number) for number in range(2, 12)))
    second = _listener(hub, broker)
    second.start()
    wait_until(lambda: _rows(hub) == 11, 60, "the others")
    second.stop()


def test_what_is_not_stored_is_not_acknowledged(hub: Hub, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    from training_hub.intake import mqtt

    hub.gateway()
    refused: list[int] = []

    def refuse(*_: object, **__: object) -> None:
        refused.append(1)
        raise OperationalError("INSERT", {}, Exception("disk full"))

    first = _listener(hub, broker)
    with monkeypatch.context() as patch:
        patch.setattr(mqtt, "take_events", refuse)
        first.start()
        wait_until(lambda: _connected(hub, broker), 60, "the connection")
        _publish(broker, result(1))
        wait_until(lambda: bool(refused), 60, "a refusal")
        first.stop()
    assert _rows(hub) == 0
    second = _listener(hub, broker)
    second.start()
    wait_until(lambda: _rows(hub) == 1, 60, "the event, sent again")
    second.stop()


def test_hubs_of_a_group_share_the_messages(hub: Hub, broker: Broker) -> None:
    hub.gateway()
    listeners = [_listener(hub, broker, role) for role in ("one", "two")]
    for listener in listeners:
        listener.start()
    log = Path(broker._directory) / "broker.log"
    wait_until(lambda: log.read_text().count("as training-hub-") >= 2, 60, "both")
    _publish(broker, *(result(number) for number in range(40)))
    wait_until(lambda: _rows(hub) == 40, 60, "all events")
    for listener in listeners:
        listener.stop()
    assert (_counted(hub, "accepted"), _counted(hub, "repeated")) == (40, 0)


@needs_openssl
@pytest.mark.parametrize(("ca", "trusted"), [("ca", True), ("other", False)])
def test_a_broker_is_heard_over_tls_if_it_can_be_trusted(hub: Hub, tmp_path: Path, ca: str, trusted: bool) -> None:
    made = make_certificates(tmp_path / "tls")
    with Broker(tmp_path / "broker", listener=tls_listener(made)) as broker:
        broker.start()
        tls = BrokerTlsSection(
            enabled=True, ca_file=made / f"{ca}.crt", cert_file=made / "gw.crt", key_file=made / "gw.key"
        )
        listener = _listener(hub, broker, tls=tls)
        listener.start()
        log = tmp_path / "broker" / "broker.log"
        if trusted:
            wait_until(lambda: _connected(hub, broker), 60, "the connection")
        else:
            wait_until(lambda: "alert" in log.read_text(), 60, "a refusal")
            assert not _connected(hub, broker)
        listener.stop()
