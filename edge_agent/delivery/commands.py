"""What people and programs may ask of a gateway: the models of `.../cmd/<verb>` and of the answer."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.fields import Id, Label, Name, Text, Timestamp, Ulid, WireModel, left_out

MAX_COMMAND_BYTES: Final = 4096
"""Larger ones are refused unread; the largest that makes sense has about 3 kB."""

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
IssuedAt = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"),
    Field(json_schema_extra={"format": "date-time"}),
]
_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
"""What ends a line, steers a terminal or turns the order of letters: it could forge a line of a log, or hide one."""


def _without_controls(text: str) -> str:
    if re.search(f"[{_CONTROLS}]", text):
        raise ValueError("must hold no control characters, such as the end of a line")
    return text


_PLAIN = (AfterValidator(_without_controls), Field(json_schema_extra={"pattern": f"^[^{_CONTROLS}]*$"}))
Person = Annotated[Label, *_PLAIN]
Reason = Annotated[Text, *_PLAIN]


class Verb(StrEnum):
    """What can be asked for."""

    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"
    LABEL = "label"
    RELOAD = "reload"

    @property
    def schema_uri(self) -> str:
        """The `$id` of the shipped schema."""
        return f"urn:edge-agent:schema:command_{self.value}:1"


class _Command(WireModel):
    """What every command carries.

    Attributes:
        id: Made by the sender, once for each command: the same id is carried out once, and answered alike again.
        issued_at: When it was given, RFC 3339 in UTC; an old command is refused.
        expires_at: When it must not be carried out any more; unset: some minutes later.
        operator: Who asks, in the sender's words; kept in the audit log beside what the broker knows.
    """

    id: CommandId
    issued_at: IssuedAt
    expires_at: IssuedAt | None = None
    operator: Person | None = None


class _AboutAlarm(_Command):
    """Which alarm is meant.

    Attributes:
        machine: Whose; left out for a plant event.
        kind: Which of its alarms.
        fault: Class of the fault, for `input_fault`.
        alarm: Id of the episode that the sender saw; another one is left alone. Left out: the current one.
    """

    machine: Id | None = None
    kind: Literal["anomaly", "input_fault", "plant_event"] = "anomaly"
    fault: Name | None = None
    alarm: Ulid | None = None


class Acknowledge(_AboutAlarm):
    """A person has seen it."""

    reason: Reason | None = None


class Shelve(_AboutAlarm):
    """Put an alarm aside for some time."""

    for_s: Annotated[int, Field(ge=60, le=31_536_000)]
    reason: Reason


class Unshelve(_AboutAlarm):
    """Take a shelved alarm back."""

    reason: Reason | None = None


class OutOfService(_AboutAlarm):
    """Take an alarm out of service until somebody puts it back."""

    reason: Reason


class InService(_AboutAlarm):
    """Put an alarm back into service."""

    reason: Reason | None = None


class LabelEpisode(_AboutAlarm):
    """Say what an episode was; `normal` for a false alarm, or the name of a fault."""

    label: Name
    reason: Reason | None = None


class Reload(_Command):
    """Take over the configuration on disk."""


Command = Acknowledge | Shelve | Unshelve | OutOfService | InService | LabelEpisode | Reload

COMMANDS: Final[dict[Verb, type[Command]]] = {
    Verb.ACKNOWLEDGE: Acknowledge,
    Verb.SHELVE: Shelve,
    Verb.UNSHELVE: Unshelve,
    Verb.OUT_OF_SERVICE: OutOfService,
    Verb.IN_SERVICE: InService,
    Verb.LABEL: LabelEpisode,
    Verb.RELOAD: Reload,
}


class Refusal(StrEnum):
    """Why a command was not carried out; a bounded set, for it labels a metric."""

    TOO_LARGE = "too_large"
    """More bytes than any command has."""
    INVALID = "invalid"
    """No command: broken JSON, a key or a value that the schema does not know."""
    UNKNOWN_VERB = "unknown_verb"
    """The topic names nothing that can be asked for."""
    NOT_ALLOWED = "not_allowed"
    """The gateway's settings do not allow it."""
    RETAINED = "retained"
    """It was kept by the broker: it would come again at every connection."""
    EXPIRED = "expired"
    """It is old, or from the future."""
    NO_SUCH_MACHINE = "no_such_machine"
    """No machine, fault or alarm of that name is watched."""
    STATE = "state"
    """It has no meaning in the state that the alarm is in."""
    BUSY = "busy"
    """Too many at once."""


class CommandReply(WireModel):
    """What became of a command.

    Attributes:
        id: The command's; null where it could not be read.
        verb: What was asked for; null where there is no such thing.
        outcome: Whether it was carried out.
        refusal: Why not.
        text: One sentence.
        state: Where the alarm stands now.
        at: When it was answered.
        repeated: A command with this id was answered before, and this is that answer again.
    """

    id: str | None
    verb: Verb | None
    outcome: Literal["done", "refused"]
    refusal: Refusal | None = left_out()
    text: Text
    state: Name | None = left_out()
    at: Timestamp
    repeated: bool = False


_REPLY_URI: Final = "urn:edge-agent:schema:command_reply:1"


def parse_command(verb: Verb, payload: bytes) -> Command:
    """Read a command, checking everything.

    Raises:
        DeliveryError: It is too large, or none; the message never repeats what was sent.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        raise DeliveryError(Failure.TOO_LARGE, f"more than {MAX_COMMAND_BYTES} bytes")
    try:
        command = COMMANDS[verb].model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"][:3]) or "command"
        raise DeliveryError(
            Failure.INVALID, f"{_printable(where)}: {_printable(first['msg'].removeprefix('Value error, '))}"
        ) from None
    if len(json.loads(payload, object_pairs_hook=list)) > len(json.loads(payload)):
        # who looked at it on its way may have read another one of the two
        raise DeliveryError(Failure.INVALID, "command: a key stands in it twice")
    return command


def command_schema(verb: Verb) -> dict[str, Any]:
    """JSON Schema (2020-12) of one command."""
    return _schema(COMMANDS[verb], verb.schema_uri, f"{verb.value} command", "validation")


def reply_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the answer."""
    return _schema(CommandReply, _REPLY_URI, "answer to a command", "serialization")


def _schema(
    model: type[WireModel], uri: str, title: str, mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    schema = model.model_json_schema(mode=mode)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$id": uri, "title": title}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]
