"""What a broker retains of alarms is put right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_agent.agent.telling.last_words import LastWords
from edge_agent.alarms.alarm import AlarmKey, Kind
from edge_agent.alarms.rules import Action
from edge_agent.alarms.states import Event
from edge_agent.delivery.events import Event as WireEvent
from edge_agent.delivery.message import Priority
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.states import AlarmData
from tests.agent.alarming.desk import Desk

FAN = AlarmKey(Kind.ANOMALY, "fan_1")
BASE = "root/plant/gw"


def words(desk: Desk, *, all_machines: bool = False) -> LastWords:
    return LastWords(desk.desk, desk.topics, desk.messages, desk.clock, all_machines=all_machines)


def retained(topic: str, payload: bytes, *, retained: bool = True) -> Received:
    return Received(f"{BASE}/{topic}", payload, retained, None, None, "")


def data(letter: Letter) -> dict[str, Any]:
    event = WireEvent[AlarmData].model_validate_json(letter.payload)
    return event.data.model_dump(mode="json")


def test_each_connection_is_told_what_is_not_normal() -> None:
    desk = Desk(machines=("fan_1", "fan_2"))
    assert words(desk).opened() == []
    desk.play([9.0] * 4)
    assert words(desk).opened() == []  # an event like every other
    first, again = desk.sent(Priority.ALARM, "/machine/fan_1/alarm")
    assert again == {**first, "change": "update", "announce": False}
    desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    desk.play([0.5] * 6, first=4)
    told = len(desk.sent(Priority.ALARM))
    assert words(desk).opened() == []
    assert len(desk.sent(Priority.ALARM)) == told


def test_what_waits_to_be_told_is_not_told_before_without_calling_anybody() -> None:
    desk = Desk()
    desk.outbox.close()
    desk.play([9.0] * 4)
    held = desk.intake.held
    words(desk).opened()
    assert desk.intake.held == held


def test_another_broker_that_retains_a_former_state_hears_of_this_one() -> None:
    desk = Desk()
    desk.play([9.0] * 4)
    former = json.dumps({"data": desk.sent(Priority.ALARM)[-1]}).encode()
    desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    told = len(desk.sent(Priority.ALARM))
    assert words(desk).received(retained("machine/fan_1/alarm", former)) == ()
    assert [each["state"] for each in desk.sent(Priority.ALARM)[told:]] == ["acknowledged"]


def test_home_assistant_knows_a_state_of_machines_that_never_had_an_alarm() -> None:
    desk = Desk(machines=("fan_1", "fan_2"))
    first, again = (words(desk, all_machines=True).opened() for _ in range(2))
    assert [letter.topic for letter in first] == [
        f"{BASE}/machine/fan_1/alarm", f"{BASE}/machine/fan_2/alarm", f"{BASE}/alarm",
    ]  # fmt: skip
    assert {data(letter)["state"] for letter in first} == {"normal"}
    assert [data(letter)["alarm"] for letter in first] == [data(letter)["alarm"] for letter in again]
    assert desk.desk.alarms() == ()


def test_what_is_retained_of_an_alarm_that_nobody_knows_is_put_right() -> None:
    lost = Desk()
    lost.play([9.0] * 4)
    stale = json.dumps({"data": lost.sent(Priority.ALARM)[-1]}).encode()
    fresh = words(Desk(randomness=lambda size: b"\1" * size))
    (letter,) = fresh.received(retained("machine/fan_1/alarm", stale))
    assert (letter.topic, letter.retain, data(letter)["state"]) == (f"{BASE}/machine/fan_1/alarm", True, "normal")
    assert fresh.received(retained("machine/fan_1/alarm", letter.payload)) == ()
    told = len(lost.sent(Priority.ALARM))
    assert words(lost).received(retained("machine/fan_1/alarm", stale)) == ()  # it is as it says
    assert len(lost.sent(Priority.ALARM)) == told
    assert fresh.received(retained("machine/fan_1/alarm", stale, retained=False)) == ()  # news, no last word
    (letter,) = fresh.received(retained("alarm", stale))
    assert data(letter)["kind"] == "plant_event"
    (letter,) = fresh.received(retained("machine/fan_1/fault/hum", stale))
    assert (data(letter)["fault"], data(letter)["state"]) == ("hum", "normal")


@pytest.mark.parametrize("topic", ["machine/gone_1/alarm", "machine/gone_1/fault/hum", "machine/fan_1/fault/of_old"])
def test_what_is_retained_of_what_is_no_more_is_taken_away(topic: str) -> None:
    (letter,) = words(Desk()).received(retained(topic, b"{}"))
    assert (letter.topic, letter.payload, letter.retain) == (f"{BASE}/{topic}", b"", True)
    assert words(Desk()).received(retained(topic, b"")) == ()


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"\xff",
        b"null",
        b"[1]",
        b"[" * 60_000,
        b'{"data": 1}',
        b'{"data": {"state": ["normal"], "alarm": {}}}',
        b'{"data": {"state": "normal"}}',
        b"x" * 100_000,
    ],
)
def test_what_is_retained_and_no_alarm_is_replaced(payload: bytes) -> None:
    (letter,) = words(Desk()).received(retained("machine/fan_1/alarm", payload))
    assert json.loads(letter.payload)["data"]["state"] == "normal"


@pytest.mark.parametrize("topic", ["machine/fan_1/result", "machine/a/b/alarm", "machine//alarm", "status", "x/alarm"])
def test_other_topics_are_left_alone(topic: str) -> None:
    assert words(Desk()).received(retained(topic, b"{}")) == ()
