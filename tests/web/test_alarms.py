"""Alarms on the page."""

import json

import pytest

from edge_agent.alarms.alarm import Alarm, AlarmKey, Kind, Severity
from edge_agent.alarms.history import HistoryEntry
from edge_agent.alarms.states import Event, State
from edge_agent.delivery.commands import CommandReply, Refusal, Verb
from edge_agent.web.alarms import AlarmPages
from tests.web.pages import open_site

KEY = AlarmKey(Kind.ANOMALY, "pump_1")
RAISED = Alarm(
    KEY, State.UNACKNOWLEDGED, active=True, id="01A", severity=Severity.HIGH, text="a whine", raised_ns=5_000_000_000
)
NOW = "2026-01-31T12:00:00.000000Z"


class Desk:
    """Keeps one alarm and what was asked for."""

    def __init__(self) -> None:
        self.alarms = [RAISED, Alarm(AlarmKey(Kind.ANOMALY, "fan_1"))]
        self.asked: list[tuple[str, dict[str, object], str]] = []
        self.refuse = False

    def perform(self, verb: str, payload: bytes, caller: str) -> CommandReply:
        self.asked.append((verb, json.loads(payload), caller))
        refusal = Refusal.STATE if self.refuse else None
        outcome = "refused" if self.refuse else "done"
        return CommandReply(
            id="12345678", verb=Verb(verb), outcome=outcome, refusal=refusal, text="so it is", state=None, at=NOW
        )

    def pages(self) -> AlarmPages:
        entry = HistoryEntry(
            at_ns=1, kind=Kind.ANOMALY, machine="pump_1", fault="", id="01A", event=Event.RAISE,
            state=State.UNACKNOWLEDGED, severity="high", operator=None, reason=None, text="a whine",
        )  # fmt: skip
        return AlarmPages(lambda: self.alarms, lambda: [entry], self.perform, lambda: NOW)


def test_what_stands_is_told_and_what_is_normal_is_not() -> None:
    desk = Desk()
    with open_site(extensions=(desk.pages(),)) as site:
        told = site.get("/api/alarms")
    [alarm] = told["alarms"]
    assert (alarm["machine"], alarm["state"], alarm["severity"], alarm["raised_s"]) == (
        "pump_1",
        "unacknowledged",
        "high",
        5.0,
    )
    assert [line["event"] for line in told["history"]] == ["raise"]


def test_an_act_goes_the_way_of_every_command() -> None:
    desk = Desk()
    with open_site(extensions=(desk.pages(),)) as site:
        body = {"machine": "pump_1", "kind": "anomaly", "fault": None, "operator": "anna", "reason": "seen"}
        status, _, said = site.ask("/api/commands/acknowledge", "POST", body)
    assert (status, json.loads(said)["text"]) == (200, "so it is")
    [(verb, asked, caller)] = desk.asked
    assert (verb, asked["machine"], asked["operator"], asked["issued_at"]) == ("acknowledge", "pump_1", "anna", NOW)
    assert "fault" not in asked
    assert caller == "page at 127.0.0.1"


def test_a_refusal_is_told_with_its_reason() -> None:
    desk = Desk()
    desk.refuse = True
    with open_site(extensions=(desk.pages(),)) as site:
        status, _, said = site.ask("/api/commands/acknowledge", "POST", {"machine": "pump_1"})
    assert (status, json.loads(said)["error"]) == (409, "so it is")


@pytest.mark.parametrize("body", [{"id": "mine"}, {"issued_at": NOW}, {"machine": "x", "evil": 1}])
def test_what_only_the_gateway_may_say_is_refused(body: dict[str, object]) -> None:
    desk = Desk()
    with open_site(extensions=(desk.pages(),)) as site:
        assert site.ask("/api/commands/acknowledge", "POST", body)[0] == 400
    assert desk.asked == []


def test_a_watcher_is_told_of_changes_alone() -> None:
    desk = Desk()
    pages, seen = desk.pages(), {}
    assert "alarms" in pages.changes(seen)
    assert pages.changes(seen) == {}
    desk.alarms = []
    assert pages.changes(seen) == {"alarms": []}
