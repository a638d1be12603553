"""What a connection has to tell, and what may be said over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLOUD_EVENT: Final = "application/cloudevents+json"
"""What events are."""

_PACKET_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted; its own limits, None where it named none."""

    receive_maximum: int | None
    maximum_packet_bytes: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker said no to CONNECT."""

    reason: str
    word: str
    protocol_unsupported: bool


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker answered a publish; `refusal` is None when it has the event."""

    mid: int
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker answered a subscription; `refusal` is None when it was accepted."""

    topic_filter: str
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """A message that the gateway subscribed to; hostile until read.

    Attributes:
        topic: Where it was published.
        payload: What.
        retained: Whether the broker had kept it.
        response_topic: Where its sender waits for an answer, if anywhere (MQTT 5).
        correlation: What the answer must repeat (MQTT 5).
        sender: What the sender's user properties say of who it is (MQTT 5).
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None
    sender: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended; `code` is the broker's reason where it gave one (MQTT 5)."""

    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing new, but bytes arrive: the rest of a message that is too long, behind which answers wait."""


Signal = Connected | Refused | Acked | Subscribed | Received | Closed | Alive
"""What a connection has to tell."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A publish that no outbox keeps: birth, goodbye, will, discovery, or an answer.

    Attributes:
        topic: Where it goes.
        payload: What it says.
        retain: Whether the broker keeps it as the topic's last word.
        correlation: What an answer must repeat (MQTT 5).
        answer: Whether somebody asked for it, and chose where it goes.
        content_type: What the payload is (MQTT 5).
    """

    topic: str
    payload: bytes
    retain: bool = True
    correlation: bytes | None = None
    answer: bool = False
    content_type: str = "application/json"

    @property
    def packet_bytes(self) -> int:
        """About as long as it is on the wire, never less."""
        return len(self.payload) + len(self.topic.encode()) + len(self.correlation or b"") + _PACKET_OVERHEAD_BYTES
