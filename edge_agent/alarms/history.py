"""What happened to alarms, line by line: `<state>/alarm_history.jsonl`."""

from pathlib import Path

from edge_agent.alarms.alarm import Change, Kind
from edge_agent.alarms.journal import Journal
from edge_agent.alarms.states import Event, State
from edge_agent.record import Record


class HistoryEntry(Record):
    """One change of one alarm; `at_ns` is wall time, the others are those of `Alarm`."""

    at_ns: int
    kind: Kind
    machine: str
    fault: str
    id: str
    event: Event | None
    state: State
    severity: str
    operator: str | None
    reason: str | None
    text: str

    @classmethod
    def of(cls, change: Change, at_ns: int) -> "HistoryEntry":
        """Write a change down."""
        alarm = change.alarm
        return cls(
            at_ns=at_ns,
            kind=alarm.key.kind,
            machine=alarm.key.machine,
            fault=alarm.key.fault,
            id=alarm.id,
            event=change.event,
            state=alarm.state,
            severity=alarm.severity.word,
            operator=alarm.operator,
            reason=alarm.reason,
            text=alarm.text,
        )


def history(directory: Path) -> Journal[HistoryEntry]:
    """The history in a state directory."""
    return Journal(directory / "alarm_history.jsonl", HistoryEntry)
