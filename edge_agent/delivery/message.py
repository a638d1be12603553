"""What the outbox keeps and the publisher sends: an event, serialised and addressed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.events import Data, EventKind, kind_of, make_event
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.states import AlarmData
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory

MAX_PAYLOAD_BYTES = 256 * 1024
"""Largest event; a result is about 2 kB."""


class Priority(IntEnum):
    """Order of sending, and of being dropped in reverse."""

    ALARM = 0
    STATE = 1
    RESULT = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way.

    Attributes:
        event_id: The ULID in the payload.
        topic: Where it goes.
        payload: The event in JSON, marked as live.
        priority: Its lane.
        retain: Whether the broker keeps it as the topic's last word.
        occurred_ns: Wall time at which what it tells was complete (a window's end), nanoseconds.
        clock_synced: Whether that time can be trusted; if not, the event is never dropped for its age.
    """

    event_id: str
    topic: str
    payload: bytes
    priority: Priority
    retain: bool
    occurred_ns: int
    clock_synced: bool

    def __post_init__(self) -> None:
        """Refuse what would harm the outbox."""
        if len(self.payload) > MAX_PAYLOAD_BYTES:
            raise DeliveryError(
                Failure.TOO_LARGE,
                f"event {self.event_id} for {self.topic} has {len(self.payload)} bytes, more than {MAX_PAYLOAD_BYTES}",
            )


class MessageFactory:
    """Turns data into messages: gives the id, the envelope, the topic and the lane."""

    def __init__(self, topics: Topics, ulids: UlidFactory) -> None:
        self._topics = topics
        self._ulids = ulids
        self._source = f"/{topics.site}/{topics.gateway}"

    def make(self, data: Data, *, occurred_ns: int) -> Message:
        """Make the message of one event; `occurred_ns` is wall time, a result's window end."""
        kind = kind_of(data)
        subject, topic = self._address(kind, data)
        event_id = self._ulids()
        event = make_event(data, event_id=event_id, source=self._source, subject=subject, time=rfc3339(occurred_ns))
        return Message(
            event_id=event_id,
            topic=topic,
            payload=event.to_json(),
            priority=_PRIORITIES[kind],
            retain=kind is not EventKind.RESULT,
            occurred_ns=occurred_ns,
            clock_synced=data.clock_synced,
        )

    def _address(self, kind: EventKind, data: Data) -> tuple[str, str]:
        subject = str(getattr(data, _SUBJECTS[kind]))
        match kind:
            case EventKind.RESULT:
                return subject, self._topics.machine_result(subject)
            case EventKind.ALARM:
                assert isinstance(data, AlarmData)
                return subject, self._alarm_topic(data)
            case EventKind.HEALTH:
                return subject, self._topics.machine_health(subject)
            case EventKind.SOURCE_STATE:
                return subject, self._topics.source_state(subject)
            case EventKind.STATUS:
                return subject, self._topics.status

    def _alarm_topic(self, data: AlarmData) -> str:
        if data.kind == "plant_event":
            return self._topics.plant_alarm
        if data.fault is not None:
            return self._topics.machine_fault(data.machine, data.fault)
        return self._topics.machine_alarm(data.machine)


_SUBJECTS = {
    EventKind.RESULT: "machine",
    EventKind.ALARM: "machine",
    EventKind.HEALTH: "machine",
    EventKind.SOURCE_STATE: "source",
    EventKind.STATUS: "gateway",
}
_PRIORITIES = {
    EventKind.RESULT: Priority.RESULT,
    EventKind.ALARM: Priority.ALARM,
    EventKind.HEALTH: Priority.STATE,
    EventKind.SOURCE_STATE: Priority.STATE,
    EventKind.STATUS: Priority.STATE,
}
