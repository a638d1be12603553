"""Commands to a running agent: over a real broker with an access list, over its socket, and hostile ones."""

from __future__ import annotations

import json
import queue
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.agent.asking.audit import audit
from edge_agent.delivery.schema import SCHEMA_DIRECTORY
from tests.end_to_end.conftest import PUMP, Plant, Site, make_site_in, source
from tests.support.agent import Agent, Shell, running
from tests.support.broker import Broker, needs_mosquitto, wait_until

pytestmark = [pytest.mark.end_to_end, needs_mosquitto]

BASE = "edge_agent/plant/gw"
REPLY = Draft202012Validator(json.loads((SCHEMA_DIRECTORY / "command_reply.json").read_text(encoding="utf-8")))


@dataclass
class Person:
    """A client that asks, and hears what is answered."""

    port: int
    username: str | None = None
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
    heard: queue.SimpleQueue[paho.MQTTMessage] = field(default_factory=queue.SimpleQueue)
    acks: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=secrets.token_hex(4), protocol=self.protocol)
        if self.username:
            client.username_pw_set(self.username, "x")
        client.on_message = lambda _c, _d, message: self.heard.put(message)
        client.on_subscribe = lambda *_: ready.put(True)
        client.on_publish = lambda _c, _d, _mid, code, _p: self.acks.put(str(code))
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        client.subscribe([(f"{BASE}/cmd/+/reply", 1), ("answers/me", 1)])
        assert ready.get(timeout=10)
        self.client = client

    def send(self, verb: str, payload: bytes, *, retain: bool = False, **extra: Any) -> str:  # noqa: ANN401  # properties of many types
        properties = None
        if extra:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
            for name, value in extra.items():
                setattr(properties, name, value)
        self.client.publish(f"{BASE}/cmd/{verb}", payload, qos=1, retain=retain, properties=properties)
        return self.acks.get(timeout=10)

    def answer(self) -> tuple[paho.MQTTMessage, dict[str, Any]]:
        message = self.heard.get(timeout=10)
        reply = json.loads(message.payload)
        REPLY.validate(reply)
        return message, reply

    def ask(self, verb: str, payload: bytes, **extra: Any) -> dict[str, Any]:  # noqa: ANN401  # as `send`
        self.send(verb, payload, **extra)
        return self.answer()[1]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def command(**keys: object) -> bytes:
    age_s = float(str(keys.pop("age_s", 0)))
    issued = datetime.now(UTC) - timedelta(seconds=age_s)
    basic = {"id": secrets.token_hex(8), "issued_at": issued.strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": "pump_1"}
    return json.dumps({**basic, **keys}).encode()


@dataclass
class World:
    site: Site
    agent: Agent
    broker: Broker

    def count(self, name: str) -> float:
        _, text = self.agent.get("/metrics")
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def commands(self, verb: str, outcome: str) -> float:
        return self.count(f'edge_agent_commands_total{{outcome="{outcome}",verb="{verb}"}}')


ACL = Path(__file__).parents[2] / "deploy" / "mosquitto" / "edge-agent.acl"


@pytest.fixture(scope="module")
def world(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An agent in an alarm, at a broker that knows the gateway, an operator, an engineer and a visitor."""
    directory = tmp_path_factory.mktemp("commands")
    acl = shutil.copy(ACL, directory / "acl")
    Path(acl).chmod(0o600)
    broker = Broker(directory / "broker", listener=f"allow_anonymous true\nacl_file {acl}\n")
    broker.start()
    body = PUMP + source("film", "pump_1", plant.film, 100.0)
    site = make_site_in(directory, plant, body, broker.port)
    allowed = 'allowed = ["acknowledge", "shelve", "unshelve", "label", "out_of_service", "in_service"]'
    text = site.config.read_text().replace("[mqtt]\n", '[mqtt]\nusername = "gw"\n', 1)
    site.config.write_text(text + f"[mqtt.commands]\n{allowed}\n")
    mischief = Person(broker.port, "engineer")
    mischief.send("out_of_service", command(reason="x"), retain=True)
    mischief.close()
    with running(site.config, site.http_port, site.log) as agent:
        world = World(site, agent, broker)
        wait_until(lambda: world.count('edge_agent_alarms_raised_total{machine="pump_1"}') > 0, 60.0, "an alarm")
        wait_until(
            lambda: world.count('edge_agent_alarm_state{machine="pump_1",state="returned_unacknowledged"}') > 0,
            60.0,
            "its end",
        )
        yield world
        assert agent.stop() == 0
    broker.stop()
    assert "Traceback" not in site.log.read_text()


@pytest.fixture
def operator(world: World) -> Iterator[Person]:
    person = Person(world.broker.port, "operator")
    yield person
    person.close()


@pytest.fixture
def engineer(world: World) -> Iterator[Person]:
    person = Person(world.broker.port, "engineer")
    yield person
    person.close()


def test_an_answer_comes_where_it_is_asked_for_and_the_same_command_is_done_once(
    world: World, operator: Person
) -> None:
    payload = command(operator="anna", reason="seen")
    operator.send("acknowledge", payload, ResponseTopic="answers/me", CorrelationData=b"\x00\xff7")
    message, reply = operator.answer()
    assert (message.topic, message.properties.CorrelationData) == ("answers/me", b"\x00\xff7")
    assert (reply["outcome"], reply["state"], reply["repeated"]) == ("done", "normal", False)
    again = operator.ask("acknowledge", payload)
    assert (again["outcome"], again["repeated"], again["at"]) == ("done", True, reply["at"])
    refused = operator.ask("acknowledge", command())
    assert (refused["outcome"], refused["refusal"]) == ("refused", "state")
    entry = [each for each in audit(world.site.state).read() if each.outcome == "done"][-1]
    assert (entry.operator, entry.verb, entry.about, entry.reason) == ("anna", "acknowledge", "pump_1 anomaly", "seen")


def test_311_is_answered_on_the_agreed_topic(world: World) -> None:
    person = Person(world.broker.port, "operator", MQTTProtocolVersion.MQTTv311)
    person.send("shelve", command(for_s=600, reason="test"))
    message, reply = person.answer()
    assert message.topic == f"{BASE}/cmd/shelve/reply"
    assert reply["state"] == "shelved"
    assert person.ask("unshelve", command())["outcome"] == "done"
    person.close()


@pytest.mark.parametrize("topic", [f"{BASE}/cmd/out_of_service", "edge_agent/plant/gw2/cmd/shelve", "homeassistant/x"])
def test_an_answer_cannot_be_sent_where_it_would_pass_for_something_else(operator: Person, topic: str) -> None:
    operator.send("label", command(), ResponseTopic=topic)
    assert operator.answer()[0].topic == f"{BASE}/cmd/label/reply"


HOSTILE: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    "oversized": ("acknowledge", b'{"id": "' + b"x" * 100_000 + b'"}', "too_large"),
    "ten megabytes": ("acknowledge", b"\0" * 10_000_000, "too_large"),
    "deep nesting": ("acknowledge", b"[" * 4_000, "invalid"),
    "a key twice": ("acknowledge", lambda: command().replace(b"}", b', "machine": "pump_1"}'), "invalid"),
    "half a letter": ("acknowledge", lambda: command().replace(b"}", b', "reason": "\\ud800"}'), "invalid"),
    "UTF-16": ("acknowledge", lambda: command().decode().encode("utf-16"), "invalid"),
    "a mark before it": ("acknowledge", lambda: b"\xef\xbb\xbf" + command(), "invalid"),
    "an endless number": (
        "shelve",
        lambda: command(reason="x").replace(b"}", b', "for_s": ' + b"9" * 3000 + b"}"),
        "invalid",
    ),
    "a time of another zone": ("acknowledge", lambda: command(issued_at="2026-01-01T00:00:00+01:00"), "invalid"),
    "the end of time": ("acknowledge", lambda: command(issued_at="9999-12-31T23:59:59Z"), "expired"),
    "a line in a reason": ("acknowledge", lambda: command(reason="x\nCRITICAL root: gone"), "invalid"),
    "a terminal's orders": ("acknowledge", lambda: command(operator="anna\x1b[2J"), "invalid"),
    "binary": ("acknowledge", bytes(range(256)), "invalid"),
    "empty": ("acknowledge", b"", "invalid"),
    "no object": ("acknowledge", b"null", "invalid"),
    "not a number": ("shelve", lambda: command(reason="x").replace(b"}", b', "for_s": NaN}'), "invalid"),
    "infinite": ("shelve", lambda: command(reason="x").replace(b"}", b', "for_s": 1e999}'), "invalid"),
    "wrong type": ("shelve", lambda: command(for_s="600", reason="x"), "invalid"),
    "too long a time": ("shelve", lambda: command(for_s=31_000_000, reason="x"), "invalid"),
    "unknown key": ("acknowledge", lambda: command(sudo=True), "invalid"),
    "wildcard": ("acknowledge", lambda: command(machine="#"), "invalid"),
    "path": ("acknowledge", lambda: command(machine="../../etc"), "invalid"),
    "no such machine": ("acknowledge", lambda: command(machine="fan_9"), "no_such_machine"),
    "no such fault": ("acknowledge", lambda: command(kind="input_fault", fault="gremlins"), "no_such_machine"),
    "old": ("acknowledge", lambda: command(age_s=3600), "expired"),
    "from the future": ("acknowledge", lambda: command(age_s=-3600), "expired"),
    "no such day": ("acknowledge", lambda: command(issued_at="2026-02-31T00:00:00Z"), "invalid"),
    "past its own end": ("acknowledge", lambda: command(expires_at="2020-01-01T00:00:00Z"), "expired"),
    "another episode": ("acknowledge", lambda: command(alarm="7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "state"),
    "a line of its own in the log": ("acknowledge", lambda: command(**{"a\nCRITICAL root": 1}), "invalid"),
}


def test_what_an_asker_wishes_costs_neither_the_connection_nor_the_health(world: World, engineer: Person) -> None:
    """mosquitto ends the connection of who publishes to 200 levels; and what may not be published is no fault here."""
    for wish in ({"ResponseTopic": "a/" * 250 + "x"}, {"UserProperty": [("k", "v")] * 20_000}):
        wait_until(lambda: engineer.ask("label", command(), **wish)["refusal"] != "busy", 20.0, "answered here")  # noqa: B023  # at once
    engineer.send("label", command(), ResponseTopic="nobody/may/write")
    refused = 'edge_agent_mqtt_refused_total{operation="answer",reason="not_authorized"}'
    wait_until(lambda: world.count(refused) >= 1, 20.0, "the answer refused")
    assert world.count("edge_agent_mqtt_connections_total") == 1
    assert "check its access list" not in world.agent.get("/healthz")[1]
    assert world.site.log.read_text().count("the broker refuses the answer to a command on nobody/may/write") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_commands_are_refused_and_counted(world: World, engineer: Person, name: str) -> None:
    verb, payload, refusal = HOSTILE[name]
    before = world.commands(verb, refusal)

    def dealt_with() -> bool:
        return engineer.ask(verb, payload if isinstance(payload, bytes) else payload())["refusal"] != "busy"

    wait_until(dealt_with, 20.0, "an answer")
    wait_until(lambda: world.commands(verb, refusal) > before, 5.0, f"{verb} {refusal} counted")
    assert world.agent.get("/livez")[0] == 200


def test_refusals_are_logged_and_audited_but_not_without_end(world: World, engineer: Person) -> None:
    before = _alarm_states(world)
    for _ in range(60):
        engineer.ask("acknowledge", b"\xff")
    log = world.site.log.read_text()
    assert "command acknowledge over MQTT refused: " in log
    assert "\nCRITICAL root" not in log
    refused = [entry for entry in audit(world.site.state).read() if entry.outcome == "refused"]
    assert 0 < len(refused) < 60
    assert world.commands("acknowledge", "busy") > 0
    assert _alarm_states(world) == before


def _alarm_states(world: World) -> list[str]:
    return [alarm["state"] for alarm in json.loads((world.site.state / "alarms.json").read_text())["alarms"]]


def test_a_retained_command_is_refused(world: World) -> None:
    assert world.commands("out_of_service", "retained") == 1
    assert world.commands("out_of_service", "done") == 0


def test_an_unknown_verb(world: World, engineer: Person) -> None:
    for verb in ("self_destruct", "Acknowledge", "out of service"):
        wait_until(lambda: engineer.ask(verb, command())["refusal"] == "unknown_verb", 20.0, verb)  # noqa: B023  # at once
    assert world.commands("unknown", "unknown_verb") == 3


def test_the_broker_says_who_may_ask_and_the_gateway_what(world: World, engineer: Person) -> None:
    visitor, operator = Person(world.broker.port), Person(world.broker.port, "operator")
    assert "Not authorized" in visitor.send("acknowledge", command())
    assert "Not authorized" in operator.send("out_of_service", command(reason="x"))
    before = world.commands("reload", "not_allowed")
    wait_until(lambda: engineer.ask("reload", command())["refusal"] == "not_allowed", 20.0, "refused by the gateway")
    assert world.commands("reload", "not_allowed") > before
    for person in (visitor, operator):
        person.close()


def test_the_command_line_acts_on_the_running_agent(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    shell = Shell(capfd)
    where = ("--state-dir", world.site.state)
    assert shell("alarms", "list", *where).status == 0
    assert shell("alarms", "out-of-service", "pump_1", "--reason", "rebuilt", *where).status == 0
    listed = shell("alarms", "list", "--json", *where)
    (alarm,) = [json.loads(line) for line in listed.out.splitlines()]
    assert (alarm["machine"], alarm["state"], alarm["reason"]) == ("pump_1", "out_of_service", "rebuilt")
    assert "out_of_service" in shell("alarms", "list", *where).out
    refused = shell("alarms", "ack", "pump_1", *where)
    assert (refused.status, "nothing to acknowledge" in refused.err) == (1, True)
    assert shell("alarms", "in-service", "pump_1", *where).status == 0
    past = shell("alarms", "history", "pump_1", *where).out
    assert re.search(r"out_of_service by \S+", past)
    assert (world.site.state / "control.sock").stat().st_mode & 0o777 == 0o660


def test_without_an_agent_there_is_still_the_list(
    plant: Plant, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(capfd)
    assert shell("alarms", "list", "--state-dir", tmp_path).err.startswith("no alarm in")
    done = shell("alarms", "ack", "pump_1", "--state-dir", tmp_path)
    assert (done.status, "no agent runs with state directory" in done.err) == (1, True)
