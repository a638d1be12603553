"""What a connection has to tell, and what may be said over it."""

from __future__ import annotations

from dataclasses import dataclass


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
    """The connection ended."""

    reason: str


Signal = Connected | Refused | Acked | Subscribed | Received | Closed
"""What a connection has to tell."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A publish that no outbox keeps: birth, goodbye, will, or an answer."""

    topic: str
    payload: bytes
    retain: bool = True
    correlation: bytes | None = None
