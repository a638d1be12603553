"""What comes over the broker: commands answered in the right place, and Home Assistant told again at its birth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt import publish

from edge_agent.agent.asking.commander import Asked
from edge_agent.agent.asking.mailbox import Mailbox
from edge_agent.agent.telling.home_assistant import HomeAssistantWord
from edge_agent.delivery.commands import CommandReply, Refusal
from edge_agent.delivery.home_assistant import discovery
from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.outbox import MemoryOutbox
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, Subscriber, needs_mosquitto, wait_until

TOPICS = samples.TOPICS
MESSAGE = Received(TOPICS.command("shelve"), b"{}", False, None, None, "anna")


class Desk:
    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> CommandReply:
        self.asked.append(asked)
        return CommandReply(id=None, verb=None, outcome="refused", text="no", at=samples.TIME)


def letters() -> tuple[Letter, ...]:
    return discovery(TOPICS, {"fan-1": ["mic"]}, version="0")


def test_what_is_subscribed_to(tmp_path: Path) -> None:
    assert list(Mailbox(TOPICS, None).filters) == []
    assert list(Mailbox(TOPICS, Desk()).filters) == [TOPICS.commands]
    told = HomeAssistantWord(tmp_path, letters, "ha")
    assert list(Mailbox(TOPICS, Desk(), told).filters) == [TOPICS.commands, "ha/status", "homeassistant/status"]


@pytest.mark.parametrize(
    ("response_topic", "answered_at"),
    [
        (None, TOPICS.command_reply("shelve")),
        ("answers/me", "answers/me"),
        ("", TOPICS.command_reply("shelve")),
        ("answers/#", TOPICS.command_reply("shelve")),
        ("answers/+/x", TOPICS.command_reply("shelve")),
        ("a\0b", TOPICS.command_reply("shelve")),
        ("a\nb", TOPICS.command_reply("shelve")),
        ("a\x9b31mb", TOPICS.command_reply("shelve")),
        ("a\uffffb", TOPICS.command_reply("shelve")),
        ("a\u202eb", TOPICS.command_reply("shelve")),
        ("a/" * 40, TOPICS.command_reply("shelve")),
        ("antworten/für/anna", "antworten/für/anna"),
        ("$SYS/x", TOPICS.command_reply("shelve")),
        ("x" * 600, TOPICS.command_reply("shelve")),
        (TOPICS.command("reload"), TOPICS.command_reply("shelve")),
        (f"{TOPICS.root}/other/gw/cmd/reload", TOPICS.command_reply("shelve")),
        ("homeassistant/device/x/config", TOPICS.command_reply("shelve")),
    ],
)
def test_where_an_answer_goes(response_topic: str | None, answered_at: str) -> None:
    (letter,) = Mailbox(TOPICS, Desk()).received(replace(MESSAGE, response_topic=response_topic, correlation=b"7"))
    assert (letter.topic, letter.retain, letter.correlation) == (answered_at, False, b"7")
    assert json.loads(letter.payload)["text"] == "no"


@pytest.mark.parametrize("verb", ["", "Shelve", "shelve it", "x" * 300, "\x1b[31m"])
def test_what_is_no_command_is_handed_on_and_answered_all_the_same(verb: str) -> None:
    desk = Desk()
    (letter,) = Mailbox(TOPICS, desk).received(replace(MESSAGE, topic=f"{TOPICS.base}/cmd/{verb}"))
    assert [asked.verb for asked in desk.asked] == [verb]
    assert letter.topic == TOPICS.command_reply("unknown")
    assert letter.answer


def test_of_a_flood_some_only_are_answered() -> None:
    now_s = [0.0]
    busy = CommandReply(id=None, verb=None, outcome="refused", refusal=Refusal.BUSY, text="no", at=samples.TIME)
    mailbox = Mailbox(TOPICS, lambda _: busy, clock=lambda: now_s[0])
    assert sum(len(mailbox.received(MESSAGE)) for _ in range(5000)) == 200
    now_s[0] += 3.0
    assert sum(len(mailbox.received(MESSAGE)) for _ in range(5000)) == 60


def test_what_is_not_ours_is_left_alone() -> None:
    desk = Desk()
    mailbox = Mailbox(TOPICS, desk)
    for topic in ("", "x", TOPICS.status, TOPICS.command_reply("shelve"), f"{TOPICS.base}/cmd/a/b"):
        assert mailbox.received(replace(MESSAGE, topic=topic)) == ()
    assert desk.asked == []


def test_a_retained_command_is_told_as_such_and_not_answered() -> None:
    desk = Desk()
    assert Mailbox(TOPICS, desk).received(replace(MESSAGE, retained=True)) == ()
    assert desk.asked == [Asked("shelve", b"{}", "mqtt", "anna", retained=True)]


def test_an_oversized_correlation_is_not_repeated() -> None:
    (letter,) = Mailbox(TOPICS, Desk()).received(replace(MESSAGE, correlation=b"x" * 10_000))
    assert letter.correlation is None


@pytest.mark.parametrize(
    ("payload", "retained", "told"), [(b"online", False, 2), (b"online", True, 0), (b"offline", False, 0)]
)
@pytest.mark.parametrize("topic", ["homeassistant/status", "ha/status"])
def test_home_assistants_birth(payload: bytes, retained: bool, told: int, topic: str, tmp_path: Path) -> None:
    """Its birth stays where it is with another discovery prefix, unless somebody moves it there as well."""
    birth = Received(topic, payload, retained, None, None, "")
    assert len(Mailbox(TOPICS, None, HomeAssistantWord(tmp_path, letters, "ha")).received(birth)) == told


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path / "broker")
    started.start()
    yield started
    started.stop()


@needs_mosquitto
def test_home_assistant_is_told_at_every_connection_and_at_its_own_birth(broker: Broker, tmp_path: Path) -> None:
    devices = {"fan-1": ["mic"]}
    ear = Subscriber(broker.port, "homeassistant/device/#")
    publisher = Publisher(
        MqttSettings(host="127.0.0.1", port=broker.port),
        TOPICS,
        MemoryOutbox(),
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=lambda: 0.5,
        wall_ns=time.time_ns,
        mailbox=Mailbox(
            TOPICS, None, HomeAssistantWord(tmp_path, lambda: discovery(TOPICS, devices, version="0"), "homeassistant")
        ),
    )
    publisher.start()
    wait_until(lambda: len(ear.heard) == 2, what="both devices")
    publish.single("homeassistant/status", b"online", hostname="127.0.0.1", port=broker.port)
    wait_until(lambda: len(ear.heard) == 4, what="both devices again")
    devices["fan-2"] = ["mic"]
    publisher.announce()
    wait_until(lambda: len(ear.heard) == 7, what="a machine more")
    del devices["fan-2"]
    publisher.announce()
    wait_until(lambda: len(ear.heard) == 10, what="one of them taken back")
    assert [each.payload for each in ear.heard if "fan-2" in each.topic][-1] == b""
    publisher.stop()
    late = Subscriber(broker.port, "homeassistant/device/#", client_id="late")
    wait_until(lambda: len(late.heard) == 2, what="both retained")
    assert all(each.retained for each in late.heard)
    late.close()
    ear.close()
