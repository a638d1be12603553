"""Alarms of a running agent: killed at any moment, and its disk hostile."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest
from paho.mqtt import publish

from tests.delivery import samples
from tests.end_to_end.conftest import PUMP, MakeSite, Plant, source
from tests.support.agent import Agent, running
from tests.support.broker import Broker, Subscriber, needs_mosquitto, wait_until
from tests.support.ear import listening, needs_mosquitto_sub

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_mosquitto_sub]

TOPIC = "edge_agent/plant/gw/machine/pump_1/alarm"


def _unacknowledged(agent: Agent) -> bool:
    wanted = r'edge_agent_alarm_state\{machine="pump_1",state="unacknowledged"\} 1\.0'
    return re.search(wanted, agent.get("/metrics")[1]) is not None


def test_an_alarm_goes_on_with_its_id_after_kill_9(
    plant: Plant, broker: Broker, make_site: MakeSite, tmp_path: Path
) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0), broker.port)
    with listening(broker, tmp_path / "heard") as ear:
        with running(site.config, site.http_port, site.log) as agent:
            wait_until(lambda: _unacknowledged(agent), 60.0, "an alarm")
            agent.kill()
        kept = json.loads((site.state / "alarms.json").read_text())["alarms"]
        (alarm_id,) = {alarm["id"] for alarm in kept if alarm["kind"] == "anomaly"}
        with running(site.config, site.http_port, site.log) as agent:
            wait_until(lambda: len(ear.letters(TOPIC)) >= 2, 60.0, "its end")
            wait_until(lambda: ear.letters(TOPIC)[-1].data["change"] == "clear", 60.0, "its end")
            assert agent.stop() == 0
        told = [letter.data for letter in ear.letters(TOPIC)]
        assert {data["alarm"] for data in told} == {alarm_id}
        assert [data["change"] for data in told if data["change"] == "raise"] == ["raise"]
    assert "Traceback" not in site.log.read_text()


def test_a_damaged_alarm_file_is_survived(plant: Plant, broker: Broker, make_site: MakeSite) -> None:
    site = make_site(PUMP + source("film", "pump_1", plant.film, 100.0), broker.port)
    (site.state / "alarms.json").write_bytes(b'{"version": 1, "alarms": [' + b"[" * 10_000)
    (site.state / "audit.jsonl").write_bytes(b"\xff" * 5_000)
    (site.state / "control.sock").write_bytes(b"in the way")
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: _unacknowledged(agent), 60.0, "an alarm")
        assert 'edge_agent_alarm_store_failures_total{operation="damaged"} 1.0' in agent.get("/metrics")[1]
        assert agent.stop() == 0
    assert len(list(site.state.glob("alarms.json.damaged-*"))) == 1
    assert json.loads((site.state / "alarms.json").read_text())["version"] == 1
    assert "Traceback" not in site.log.read_text()


def _retained(broker: Broker) -> dict[str, bytes]:
    """What somebody who subscribes now is told at once."""
    late = Subscriber(broker.port, "#", client_id=f"late-{time.monotonic_ns()}")  # a session that knows of nothing
    publish.single("probe", b"", hostname="127.0.0.1", port=broker.port)
    wait_until(lambda: any(each.topic == "probe" for each in list(late.heard)), 30.0, "the probe")
    late.close()
    return {each.topic: each.payload for each in late.heard if each.retained}


def _state(broker: Broker, topic: str) -> str | None:
    payload = _retained(broker).get(topic)
    return None if payload is None else str(json.loads(payload)["data"]["state"])


def test_what_the_broker_retains_is_true_whatever_the_state_directory_lost(
    plant: Plant, broker: Broker, make_site: MakeSite
) -> None:
    stale = samples.alarm_message().payload
    base = "edge_agent/plant/gw/machine"
    topics = [f"{base}/{about}" for about in ("pump_1/alarm", "pump_1/fault/hum", "gone_1/alarm", "gone_1/fault/dead")]
    letters = [{"topic": topic, "payload": stale, "qos": 1, "retain": True} for topic in topics]
    publish.multiple(letters, hostname="127.0.0.1", port=broker.port)  # type: ignore[arg-type]  # paho's own dicts
    assert _state(broker, TOPIC) == "unacknowledged"
    machines = PUMP + '[[machine]]\nid = "fan.2"\ntype = "fan"\n'
    body = machines + source("film", "pump_1", plant.film, 1.0)
    site = make_site("[mqtt.home_assistant]\nenabled = true\n" + body, broker.port)
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: _state(broker, TOPIC) == "normal", 60.0, "the word on pump_1")
        wait_until(lambda: _state(broker, f"{base}/pump_1/fault/hum") == "normal", 60.0, "the word on its hum")
        wait_until(lambda: not {topic for topic in _retained(broker) if "gone_1" in topic}, 60.0, "gone_1 forgotten")
        assert _state(broker, f"{base}/fan.2/alarm") == "normal"
        wait_until(lambda: len(_described(broker)) == 3, 60.0, "three devices")
        make_site(
            "[mqtt.home_assistant]\nenabled = true\n" + PUMP + source("film", "pump_1", plant.film, 1.0), broker.port
        )
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(_described(broker)) == 2, 60.0, "fan.2 taken back")
        agent.kill()
    make_site(PUMP + source("film", "pump_1", plant.film, 1.0), broker.port)
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: _described(broker) == set(), 60.0, "everything taken back")
        assert agent.stop() == 0
    assert "Traceback" not in site.log.read_text()


def _described(broker: Broker) -> set[str]:
    return {topic for topic in _retained(broker) if topic.startswith("homeassistant/")}
