"""Why a connection to a broker is over, and what that means for the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_agent.delivery.errors import Failure

_FAILED: Final = 128
_SHUTTING_DOWN: Final = 139
_TAKEN_OVER: Final = 142


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is over, or was none.

    Attributes:
        failure: The reason, to count by.
        text: The reason in words.
        sent_away: Whether the broker ended it on purpose, and not because it was stopped.
        unsupported: Whether the broker does not know this version of MQTT.
        hung_up: Whether the broker ended it before it answered, and without a word.
        answered: Whether it was a trial, and the broker answered.
    """

    failure: Failure
    text: str
    sent_away: bool = False
    unsupported: bool = False
    hung_up: bool = False
    answered: bool = False


def dismissed(reason: str, code: int, client_id: str) -> Ending:
    """The broker ended the connection with a reason (MQTT 5)."""
    if code == _TAKEN_OVER:
        text = f"another client came with the client id {client_id}"
        mend = "each gateway needs an agent.gateway, or a mqtt.client_id, of its own"
        return Ending(Failure.TAKEN_OVER, f"{text}; {mend}", sent_away=True)
    sent_away = code >= _FAILED and code != _SHUTTING_DOWN
    return Ending(Failure.CONNECT, f"the broker ended it: {reason}", sent_away=sent_away)


def closed(reason: str, *, tls: bool, established: bool) -> Ending:
    """The connection ended without a word of the broker."""
    if tls and not established:
        # TLS 1.3: a certificate that the broker does not accept shows only here, and often without its reason.
        doubt = "it may not accept the gateway's certificate"
        return Ending(Failure.TLS, f"{reason} before the broker answered: {doubt}", hung_up=True)
    return Ending(Failure.CONNECT, reason, hung_up=not established)
