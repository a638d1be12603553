"""Who asked the gateway for what, when, and what became of it: `<state>/audit.jsonl`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge_agent.alarms.journal import Journal


class AuditEntry(BaseModel):
    """One command, carried out or refused. Nothing of a refused payload is kept but what was understood of it.

    Attributes:
        at: When it was dealt with, RFC 3339 in UTC.
        channel: How it came.
        caller: Who sent it: the user at the socket, the address at the page. Over MQTT `client_id` or `user` of the
            message's user properties, which the sender writes unless the broker does: a claim, as `operator` is.
        operator: Who they say they are.
        verb: What was asked for.
        id: The command's own id.
        issued_at: When it was given.
        about: Which alarm.
        outcome: What became of it.
        refusal: Why it was not carried out.
        text: One sentence.
        state: Where the alarm stood afterwards.
        reason: Why it was asked for.
        left_out: Refusals before this one that were counted and not written down, for they were too many.
    """

    model_config = ConfigDict(defer_build=True, extra="forbid", frozen=True)

    at: str
    channel: Literal["mqtt", "socket", "page"]
    caller: str
    operator: str | None
    verb: str | None
    id: str | None
    issued_at: str | None
    about: str | None
    outcome: Literal["done", "refused"]
    refusal: str | None
    text: str
    state: str | None
    reason: str | None
    left_out: int = 0


def audit(directory: Path) -> Journal[AuditEntry]:
    """The audit log in a state directory."""
    return Journal(directory / "audit.jsonl", AuditEntry)
