"""What a broker refuses and why: reason codes as bounded words, and one line in the log for each change."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal, get_args

from paho.mqtt.properties import Properties

_log = logging.getLogger(__name__)

Operation = Literal["connect", "publish", "subscribe", "answer", "disconnect"]
"""What was refused; an answer is a publish to a topic of the asker's choice, a disconnect the end of a connection."""

_REASONS: Final = {
    128: "unspecified",
    129: "malformed_packet",
    130: "protocol_error",
    131: "implementation_specific",
    132: "unsupported_protocol",
    133: "client_id",
    134: "user_name_or_password",
    135: "not_authorized",
    136: "server_unavailable",
    137: "server_busy",
    138: "banned",
    139: "server_shutting_down",
    140: "authentication_method",
    141: "keep_alive_timeout",
    142: "session_taken_over",
    143: "topic_filter",
    144: "topic_name",
    147: "receive_maximum_exceeded",
    148: "topic_alias",
    149: "packet_too_large",
    150: "message_rate",
    151: "quota_exceeded",
    152: "administrative_action",
    153: "payload_format",
    154: "retain_not_supported",
    155: "qos_not_supported",
    156: "use_another_server",
    157: "server_moved",
    159: "connection_rate",
}
OTHER: Final = "other"
_MOST_TOPICS = 1000
_MAX_SAID_CHARACTERS: Final = 200


def reason_of(code: int) -> str:
    """A reason code of MQTT 5 (2.4 of the standard) as a word; a bounded set, for it labels a metric.

    >>> reason_of(135), reason_of(250)
    ('not_authorized', 'other')
    """
    return _REASONS.get(code, OTHER)


def said(properties: Properties | None) -> str:
    """What a broker adds to a reason in words, and the server that it names; nothing of it is followed."""
    reason = _printable(getattr(properties, "ReasonString", ""))
    server = _printable(getattr(properties, "ServerReference", ""))
    return (f": {reason}" if reason else "") + (
        f"; it names {server}, which is not followed: set mqtt.host" if server else ""
    )


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_SAID_CHARACTERS]


class Refusals:
    """Books of one connection's refusals. The publisher's thread writes, any reads `counts`.

    Args:
        changed: Told what is refused now, in one sentence, and None once nothing is any more.
    """

    def __init__(self, changed: Callable[[str | None], None]) -> None:
        self.counts: Counter[tuple[str, str]] = Counter({(each, _REASONS[135]): 0 for each in get_args(Operation)})
        self._changed = changed
        self._topics: dict[tuple[Operation, str], str] = {}
        self._told: str | None = None
        self._answer_told = False

    def refused(self, operation: Operation, reason: str, topic: str = "") -> None:
        """The broker refused something."""
        self.counts[operation, reason] += 1
        if operation == "answer":
            self._answer_refused(reason, topic)
        if operation not in ("publish", "subscribe") or len(self._topics) >= _MOST_TOPICS:
            return
        self._topics[operation, topic] = reason
        if self._told is None:
            self._tell(f"the broker refuses to {operation} {topic} ({reason}); check its access list")

    def accepted(self, operation: Operation, topic: str) -> None:
        """The broker took something that it may have refused before."""
        if self._topics.pop((operation, topic), None) is not None and not self._topics:
            self._tell(None)

    def _answer_refused(self, reason: str, topic: str) -> None:
        """The topic is of the asker's choice: it says nothing of what the gateway may do, and is told once."""
        if not self._answer_told:
            self._answer_told = True
            _log.warning(
                "the broker refuses the answer to a command on %s (%s); the next ones are counted only", topic, reason
            )

    def _tell(self, what: str | None) -> None:
        self._told = what
        if what is None:
            _log.info("the broker accepts everything again")
        else:
            _log.warning("%s; what it refuses is kept and tried again", what)
        self._changed(what)
