"""Carries out what people and programs ask for, refuses what they may not, and writes all of it down."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from edge_agent.agent.alarming.conditions import FAULTS
from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.asking.allowance import Allowance
from edge_agent.agent.asking.answers import Answered, Answers
from edge_agent.agent.asking.audit import AuditEntry
from edge_agent.alarms.alarm import PLANT, AlarmKey, Kind
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.journal import Journal
from edge_agent.alarms.rules import Action
from edge_agent.alarms.states import Event
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.delivery.commands import (
    Acknowledge,
    Command,
    CommandReply,
    InService,
    LabelEpisode,
    OutOfService,
    Refusal,
    Reload,
    Shelve,
    Unshelve,
    Verb,
    parse_command,
)
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.fields import rfc3339
from edge_agent.observe.metrics import Metrics

_log = logging.getLogger(__name__)

_AHEAD_S = 60.0
_EVENTS: dict[type[Command], Event] = {
    Acknowledge: Event.ACKNOWLEDGE,
    Shelve: Event.SHELVE,
    Unshelve: Event.UNSHELVE,
    OutOfService: Event.OUT_OF_SERVICE,
    InService: Event.IN_SERVICE,
}
_OPERATOR = {"mqtt": "over MQTT", "socket": "at the gateway", "page": "on the page"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it came.

    Attributes:
        verb: The word that names it.
        payload: JSON, hostile until read.
        channel: How it came; at the gateway's own socket every verb is allowed.
        caller: What is known of who sent it; over MQTT what the message's user properties claim.
        retained: Whether the broker had kept it.
    """

    verb: str
    payload: bytes
    channel: Literal["mqtt", "socket", "page"]
    caller: str = ""
    retained: bool = False


@dataclass(frozen=True, slots=True)
class CommandRules:
    """What is let through.

    Attributes:
        allowed: Verbs that may come over MQTT.
        max_age_s: Older commands are refused.
        longest_shelving_s: Nobody can shelve for longer.
    """

    allowed: frozenset[str]
    max_age_s: float = 300.0
    longest_shelving_s: int = 604_800


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


class Commander:
    """Takes commands from any thread; `handle` never raises.

    Args:
        rules: What is let through.
        alarms: Whose alarms are acted on.
        reload: Asks for the configuration on disk.
        audit: Where everything is written down; answers of a former life are read from it.
        metrics: What is counted.
        clock: Time.
    """

    def __init__(
        self,
        rules: CommandRules,
        *,
        alarms: AlarmDesk,
        reload: Callable[[], None],
        audit: Journal[AuditEntry],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._alarms = alarms
        self._reload = reload
        self._audit = audit
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._through = Allowance(burst=20, per_s=2.0)
        self._written = Allowance(burst=20, per_s=0.2)
        self._left_out = 0
        self._answers = Answers(audit.read())
        for verb in Verb:
            metrics.command_known(verb.value)

    def handle(self, asked: Asked) -> CommandReply:
        """Carry a command out, or refuse it."""
        with self._lock:
            command: Command | None = None
            verb: Verb | None = None
            try:
                verb = _VERBS.get(asked.verb)
                verb = self._admit(verb, asked)
                command = _parsed(verb, asked.payload)
                repeated = self._answered(verb, command)
                if repeated is not None:
                    self._metrics.command(verb.value, "repeated")
                    return repeated
                self._check_age(command)
                text, state = self._carry_out(command, asked)
                reply = self._reply(verb, command, "done", text, state=state)
            except _RefusedError as refused:
                reply = self._reply(verb, command, "refused", str(refused), refusal=refused.refusal)
            self._account(asked, command, reply)
            return reply

    def record(self, entry: AuditEntry) -> None:
        """Write down an act that is no command: one on a kept clip, from the page."""
        who = f" by {_plain(entry.operator or entry.caller)}" if entry.operator or entry.caller else ""
        _log.info("%s %s%s: %s", entry.verb, entry.about, who, entry.text)
        with self._lock:
            self._write_down(entry)

    # Everything below runs with the lock held.

    def _admit(self, verb: Verb | None, asked: Asked) -> Verb:
        if asked.channel == "mqtt" and not self._through.take(self._now_s()):
            raise _RefusedError(Refusal.BUSY, "too many commands at once; try again in some seconds")
        if verb is None:
            raise _RefusedError(Refusal.UNKNOWN_VERB, f"no such command; known: {', '.join(Verb)}")
        if asked.channel == "mqtt" and verb not in self._rules.allowed:
            raise _RefusedError(Refusal.NOT_ALLOWED, f"{verb.value} is not in mqtt.commands.allowed of this gateway")
        if asked.retained:
            raise _RefusedError(Refusal.RETAINED, "it was retained by the broker; send it without the retain flag")
        return verb

    def _answered(self, verb: Verb, command: Command) -> CommandReply | None:
        former = self._answers.of(command.id)
        if former is None:
            return None
        if (former.reply.verb, former.about, former.issued_at) != (verb, _about(command), command.issued_at):
            raise _RefusedError(Refusal.INVALID, f"id: {command.id} was used for another command")
        return former.reply.model_copy(update={"repeated": True})

    def _check_age(self, command: Command) -> None:
        now_s = self._clock.wall_ns() / NS_PER_S
        try:
            issued_s = datetime.fromisoformat(command.issued_at).timestamp()
            expires_s = issued_s + self._rules.max_age_s
            if command.expires_at is not None:
                expires_s = min(expires_s, datetime.fromisoformat(command.expires_at).timestamp())
        except ValueError:
            raise _RefusedError(Refusal.INVALID, "issued_at or expires_at: no such day or time") from None
        here = rfc3339(self._clock.wall_ns())
        if now_s > expires_s:
            raise _RefusedError(Refusal.EXPIRED, f"issued at {command.issued_at}, too old: here it is {here}")
        if issued_s > now_s + _AHEAD_S:
            raise _RefusedError(Refusal.EXPIRED, f"issued at {command.issued_at}, not yet: here it is {here}")

    def _carry_out(self, command: Command, asked: Asked) -> tuple[str, str | None]:
        if isinstance(command, Reload):
            self._reload()
            return "the configuration on disk is read; the log says what was taken over", None
        operator = command.operator or asked.caller or _OPERATOR[asked.channel]
        key = self._key(command)
        standing = self._alarms.alarm(key)
        if command.alarm is not None and command.alarm != standing.id:
            raise _RefusedError(Refusal.STATE, f"{key}: episode {command.alarm} is not the current one")
        try:
            if isinstance(command, LabelEpisode):
                alarm = self._alarms.label(key, command.label, operator)
                return f"{key} is labelled {command.label}", alarm.state.value
            action = Action(_EVENTS[type(command)], operator, command.reason, self._until_ns(command))
            alarm = self._alarms.act(key, action)
        except AlarmError as error:
            raise _RefusedError(Refusal.STATE, str(error)) from error
        return f"{key} is {alarm.state.value}", alarm.state.value

    def _until_ns(self, command: Command) -> int | None:
        if not isinstance(command, Shelve):
            return None
        if command.for_s > self._rules.longest_shelving_s:
            raise _RefusedError(Refusal.INVALID, f"for_s: at most {self._rules.longest_shelving_s} on this gateway")
        return self._clock.wall_ns() + command.for_s * NS_PER_S

    def _key(self, command: Acknowledge | Shelve | Unshelve | OutOfService | InService | LabelEpisode) -> AlarmKey:
        if command.kind == "plant_event":
            if command.machine is not None or command.fault is not None:
                raise _RefusedError(Refusal.INVALID, "machine: a plant event has none")
            return PLANT
        if command.machine is None:
            raise _RefusedError(Refusal.INVALID, "machine: needed, unless kind is plant_event")
        if not self._alarms.is_watched(command.machine):
            raise _RefusedError(Refusal.NO_SUCH_MACHINE, f"no machine {command.machine} is watched here")
        if command.kind == "input_fault":
            if command.fault not in FAULTS:
                raise _RefusedError(
                    Refusal.NO_SUCH_MACHINE, f"fault: needed with input_fault; one of {', '.join(FAULTS)}"
                )
            return AlarmKey(Kind.INPUT_FAULT, command.machine, command.fault)
        if command.fault is not None:
            raise _RefusedError(Refusal.INVALID, "fault: only with kind input_fault")
        return AlarmKey(Kind.ANOMALY, command.machine)

    def _reply(
        self,
        verb: Verb | None,
        command: Command | None,
        outcome: Literal["done", "refused"],
        text: str,
        *,
        refusal: Refusal | None = None,
        state: str | None = None,
    ) -> CommandReply:
        reply = CommandReply(
            id=None if command is None else command.id,
            verb=verb,
            outcome=outcome,
            refusal=refusal,
            text=text[:2048],
            state=state,
            at=rfc3339(self._clock.wall_ns()),
        )
        if command is not None:
            self._answers.remember(Answered(reply, _about(command), command.issued_at))
        return reply

    def _account(self, asked: Asked, command: Command | None, reply: CommandReply) -> None:
        verb = "unknown" if reply.verb is None else reply.verb.value
        self._metrics.command(verb, reply.outcome if reply.refusal is None else reply.refusal.value)
        if reply.refusal is not None and not self._written.take(self._now_s()):
            self._left_out += 1
            return
        more = f" ({self._left_out} more refused before)" if self._left_out else ""
        who = (command.operator if command is not None else None) or asked.caller
        by = f" by {_plain(who)}" if who else ""
        log = _log.info if reply.outcome == "done" else _log.warning
        log("command %s %s%s %s: %s%s", verb, _OPERATOR[asked.channel], by, reply.outcome, reply.text, more)
        entry = AuditEntry(
            at=reply.at,
            channel=asked.channel,
            caller=_plain(asked.caller),
            operator=None if command is None else command.operator,
            verb=None if reply.verb is None else reply.verb.value,
            id=reply.id,
            issued_at=None if command is None else command.issued_at,
            about=None if command is None else _about(command),
            outcome=reply.outcome,
            refusal=None if reply.refusal is None else reply.refusal.value,
            text=reply.text,
            state=reply.state,
            reason=None if command is None or isinstance(command, Reload) else command.reason,
            left_out=self._left_out,
        )
        self._left_out = 0
        self._write_down(entry)

    def _write_down(self, entry: AuditEntry) -> None:
        try:
            self._audit.append(entry)
        except AlarmError as error:
            self._metrics.alarm_store_failed("audit")
            _log.error("%s", error)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


_VERBS = {verb.value: verb for verb in Verb}


def _about(command: Command) -> str | None:
    if isinstance(command, Reload):
        return None
    return " ".join(part for part in (command.machine, command.kind, command.fault) if part)


def _parsed(verb: Verb, payload: bytes) -> Command:
    try:
        return parse_command(verb, payload)
    except DeliveryError as error:
        refusal = Refusal.TOO_LARGE if error.failure is Failure.TOO_LARGE else Refusal.INVALID
        raise _RefusedError(refusal, str(error)) from None


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:128]
