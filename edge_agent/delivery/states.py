"""What is retained at the broker: alarms, health, the gateway's status and its sources' states."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.delivery.fields import (
    Count,
    Finite,
    Fraction,
    Id,
    Label,
    Name,
    NonNegative,
    Positive,
    Text,
    Timestamp,
    Ulid,
    WireModel,
    left_out,
)
from edge_agent.delivery.result import AlarmState, Anomaly, BundleRef, FaultType, InputFinding, Trend


class AlarmData(WireModel):
    """One machine's alarm after a change of its state (ANSI/ISA-18.2).

    Attributes:
        machine: Whose alarm; the gateway's id for a plant event.
        alarm: Id of the episode, the same from raise to clear, and when it comes back soon.
        state: Where it stands now.
        kind: Anomalous sound, a fault of the input, or all machines at once.
        severity: How soon a person should look.
        raised_at: When the episode began.
        changed_at: When it came into this state.
        shelved_until: When shelving ends by itself.
        operator: Who acted on it last.
        anomaly: The window that brought the change, explained.
        input_health: What is wrong with the input, for an input fault.
        text: One sentence for a person.
        clock_synced: Whether the wall clock was synchronised.
        change: What brought it here: `raise`, `step_up`, `clear`, `acknowledge`, `shelve`, ...
        announce: Whether a person should be told of this change.
        fault: Class of an input fault.
        machines: Who is part of a plant event.
        reraised: How often it came back or grew within the episode.
        trend: Where the machine's health is going.
        reason: Why a person acted, in their words.
        acknowledged_at: When a person saw the episode.
        acknowledged_by: Who.
        label: What a person said that it was.
        clip: Id of the kept sound of the window that raised it.
        spectrogram_before: Id of the clip that shows the machine's normal sound.
        spectrogram_after: Id of the clip that shows what it sounds like now.
        fault_type: What kind of fault its last anomalous window sounds like.
        replayed: Sent after the fact.
    """

    machine: Id
    alarm: Ulid
    state: AlarmState
    kind: Literal["anomaly", "input_fault", "plant_event"]
    severity: Literal["low", "medium", "high", "critical"]
    raised_at: Timestamp
    changed_at: Timestamp
    shelved_until: Timestamp | None
    operator: Label | None
    anomaly: Anomaly | None
    input_health: Annotated[tuple[InputFinding, ...], Field(max_length=32)]
    text: Text
    clock_synced: bool
    change: Name | None = left_out()
    announce: bool | None = left_out()
    fault: Name | None = left_out()
    machines: Annotated[tuple[Id, ...], Field(max_length=256)] | None = left_out()
    reraised: Count | None = left_out()
    trend: Trend | None = left_out()
    reason: Text | None = left_out()
    acknowledged_at: Timestamp | None = left_out()
    acknowledged_by: Label | None = left_out()
    label: Label | None = left_out()
    clip: Label | None = left_out()
    spectrogram_before: Label | None = left_out()
    spectrogram_after: Label | None = left_out()
    fault_type: FaultType | None = left_out()
    replayed: bool = False


class HealthData(WireModel):
    """Health assessment of one machine, from its own baseline; statistical, no ISO limit.

    Attributes:
        machine: Whose health.
        assessed_at: When.
        index: 1 as good as at commissioning, 0 at the alarm limit or beyond.
        zone: A to D, named after ISO 20816's zones.
        windows: Number of windows behind it.
        trend_per_day: Change of the index per day; null before a trend can be told.
        days_to_limit: Days until the trend meets the limit; null without a worsening trend.
        clock_synced: Whether the wall clock was synchronised.
        replayed: Sent after the fact.
    """

    machine: Id
    assessed_at: Timestamp
    index: Fraction
    zone: Literal["A", "B", "C", "D"]
    windows: Count
    trend_per_day: Finite | None
    days_to_limit: NonNegative | None
    clock_synced: bool
    replayed: bool = False


class SourceStateData(WireModel):
    """State of one source after a change.

    Attributes:
        source: Its id.
        state: One that never started is down.
        since: When it came into this state.
        detail: Why, and the mend.
        rate_hz: Native rate; null before the device was opened.
        channels: Number of channels; null before the device was opened.
        machines: Who is heard through it.
        clock_synced: Whether the wall clock was synchronised.
        replayed: Sent after the fact.
    """

    source: Id
    state: Literal["starting", "up", "degraded", "down"]
    since: Timestamp
    detail: Text
    rate_hz: Positive | None
    channels: Count | None
    machines: Annotated[tuple[Id, ...], Field(max_length=256)]
    clock_synced: bool
    replayed: bool = False


class StatusData(WireModel):
    """Birth, goodbye and will of the gateway.

    Attributes:
        gateway: Its id.
        state: `offline` with reason `lost` is the will: the broker said it for the agent.
        reason: Why.
        agent_version: Version of the software.
        started_at: When the agent was started.
        bundle: Models in use; null before one was verified.
        machines: Who is watched.
        clock_synced: Whether the wall clock was synchronised.
        replayed: Never true: a status is not kept.
    """

    gateway: Id
    state: Literal["online", "offline"]
    reason: Literal["connected", "stopped", "lost"]
    agent_version: Label
    started_at: Timestamp
    bundle: BundleRef | None
    machines: Annotated[tuple[Id, ...], Field(max_length=256)]
    clock_synced: bool
    replayed: bool = False
