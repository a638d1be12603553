"""From the life cycle of an alarm to what goes on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.alarms.alarm import Alarm, Change, Kind, Severity
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.result import Anomaly, FaultType, InputFinding, Trend
from edge_agent.delivery.states import AlarmData

SeverityWord = Literal["low", "medium", "high", "critical"]
_WORDS: Mapping[Severity, SeverityWord] = {
    Severity.LOW: "low",
    Severity.MEDIUM: "medium",
    Severity.HIGH: "high",
    Severity.CRITICAL: "critical",
}
_LABEL_CHARACTERS = 128
_TEXT_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class Evidence:
    """What explains an alarm beside its sentence.

    Attributes:
        anomaly: The window that brought it about.
        findings: What is wrong with the input.
        trend: Where the machine's health is going.
        clip: Id of the kept sound.
        before: Id of the clip with the machine's normal sound.
        after: Id of the clip with what it sounds like now.
        fault_type: What kind of fault its last anomalous window sounds like.
    """

    anomaly: Anomaly | None = None
    findings: tuple[InputFinding, ...] = ()
    trend: Trend | None = None
    clip: str | None = None
    before: str | None = None
    after: str | None = None
    fault_type: FaultType | None = None


def alarm_data(change: Change, evidence: Evidence, *, gateway: str, clock_synced: bool) -> AlarmData:
    """The data of an alarm event.

    Args:
        change: What happened.
        evidence: What explains it.
        gateway: Stands for the machine in a plant event.
        clock_synced: Whether wall time is to be trusted.
    """
    alarm = change.alarm
    raised_ns = alarm.changed_ns if alarm.raised_ns is None else alarm.raised_ns
    return AlarmData(
        machine=gateway if alarm.key.kind is Kind.PLANT_EVENT else alarm.key.machine,
        alarm=alarm.id,
        state=alarm.state.value,
        kind=alarm.key.kind.value,
        severity=_WORDS[alarm.severity],
        raised_at=rfc3339(raised_ns),
        changed_at=rfc3339(alarm.changed_ns),
        shelved_until=_at(alarm.shelved_until_ns),
        operator=_short(alarm.operator),
        anomaly=evidence.anomaly,
        input_health=evidence.findings,
        text=_text(alarm),
        clock_synced=clock_synced,
        change="update" if change.event is None else change.event.value,
        announce=change.annunciated,
        fault=alarm.key.fault or None,
        machines=alarm.machines or None,
        reraised=alarm.reraised or None,
        trend=evidence.trend,
        reason=alarm.reason,
        acknowledged_at=_at(alarm.acknowledged_ns),
        acknowledged_by=_short(alarm.acknowledged_by),
        label=_short(alarm.label),
        clip=evidence.clip,
        spectrogram_before=evidence.before,
        spectrogram_after=evidence.after,
        fault_type=evidence.fault_type,
    )


def _text(alarm: Alarm) -> str:
    """The sentence; where the condition is over it must not read as if it held."""
    if alarm.raised_ns is None:
        return f"{alarm.key.machine or 'the plant'}: no alarm so far"
    return alarm.text if alarm.active else f"Over: {alarm.text}"[:_TEXT_CHARACTERS]


def _at(time_ns: int | None) -> str | None:
    return None if time_ns is None else rfc3339(time_ns)


def _short(name: str | None) -> str | None:
    return name[:_LABEL_CHARACTERS] if name else None
