"""An alarm book with ids that count, and shorthand for what happens to it."""

from __future__ import annotations

import itertools

from edge_agent.alarms.alarm import Alarm, AlarmKey, Change, Condition, Kind, Severity
from edge_agent.alarms.book import AlarmBook
from edge_agent.alarms.rules import Action, AlarmRules
from edge_agent.alarms.states import Event

S = 1_000_000_000
FAN = AlarmKey(Kind.ANOMALY, "fan_1")


class Book:
    def __init__(self, rules: AlarmRules | None = None, alarms: tuple[Alarm, ...] = (), first_id: int = 1) -> None:
        ids = itertools.count(first_id)
        self.book = AlarmBook(rules or AlarmRules(), lambda: f"id{next(ids)}", alarms)

    def on(self, now_s: float, severity: Severity = Severity.MEDIUM, key: AlarmKey = FAN) -> tuple[Change, ...]:
        return self.book.observe(key, Condition(severity, f"{severity.word} at {now_s:g}"), now_ns=int(now_s * S))

    def off(self, now_s: float, key: AlarmKey = FAN, *, suspect: bool = False) -> tuple[Change, ...]:
        return self.book.observe(key, None, now_ns=int(now_s * S), suspect=suspect)

    def act(self, event: Event, now_s: float, key: AlarmKey = FAN, *, until_s: float | None = None) -> Change:
        until_ns = None if until_s is None else int(until_s * S)
        return self.book.act(key, Action(event, "anna", "because", until_ns), now_ns=int(now_s * S))

    def state(self, key: AlarmKey = FAN) -> str:
        return self.book.alarm(key).state.value
