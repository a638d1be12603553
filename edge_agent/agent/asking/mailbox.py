"""What the gateway listens to at the broker: commands, what is retained of its alarms, and Home Assistant's birth."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from edge_agent.agent.asking.allowance import Allowance
from edge_agent.agent.asking.commander import Asked
from edge_agent.agent.telling.home_assistant import HomeAssistantWord
from edge_agent.delivery.commands import CommandReply, Refusal, Verb
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.topics import Topics

_MAX_TOPIC_BYTES = 512
_MAX_LEVELS = 32
"""mosquitto disconnects who publishes to more than 200; a topic of the sender's choice must not end the connection."""

_MAX_CORRELATION_BYTES = 256
UNKNOWN = "unknown"
"""Where a command is answered that there is none of: `.../cmd/unknown/reply`."""


class Word(Protocol):
    """Says something of its own at each connection, and answers what it listens to."""

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""

    def opened(self) -> Sequence[Letter]:
        """A connection was made."""

    def received(self, message: Received) -> Sequence[Letter]:
        """A message came, of these filters or of others."""


class Mailbox:
    """Takes messages on the publisher's thread (`delivery.session.Mailbox`).

    Args:
        topics: The gateway's.
        handle: Carries commands out; None where nothing may be asked for.
        home_assistant: What Home Assistant is told; None where it never was told anything.
        alarms: What brokers retain of alarms; None where nobody cares.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        topics: Topics,
        handle: Callable[[Asked], CommandReply] | None,
        home_assistant: HomeAssistantWord | None = None,
        alarms: Word | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topics = topics
        self._handle = handle
        self._home_assistant = home_assistant
        self._clock = clock
        self._busy_answers = Allowance(burst=200, per_s=20.0)
        self._words: list[Word] = [word for word in (home_assistant, alarms) if word is not None]

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""
        commands = [] if self._handle is None else [self._topics.commands]
        return [*commands, *(each for word in self._words for each in word.filters)]

    def opened(self) -> Sequence[Letter]:
        """A connection was made, or what is told with it has changed."""
        return [letter for word in self._words for letter in word.opened()]

    def delivered(self, topic: str) -> None:
        """The broker has a letter."""
        if self._home_assistant is not None:
            self._home_assistant.delivered(topic)

    def received(self, message: Received) -> Sequence[Letter]:
        """A message came."""
        for word in self._words:
            if letters := word.received(message):
                return letters
        verb = self._topics.verb_of(message.topic)
        if verb is None or self._handle is None:
            return ()
        reply = self._handle(Asked(verb, message.payload, "mqtt", caller=message.sender, retained=message.retained))
        if message.retained:
            return ()  # nobody waits for it
        if reply.refusal is Refusal.BUSY and not self._busy_answers.take(self._clock()):
            return ()  # counted; to answer each of a flood would be another one
        correlation = message.correlation
        if correlation is not None and len(correlation) > _MAX_CORRELATION_BYTES:
            correlation = None
        payload = reply.model_dump_json().encode()
        topic = self._answer_to(message, verb)
        return (Letter(topic, payload, retain=False, correlation=correlation, answer=True),)

    def _answer_to(self, message: Received, verb: str) -> str:
        """Where the sender waits, unless that is a place where an answer would pass for something else."""
        topic = message.response_topic
        forbidden = f"{self._topics.root}/"
        if (
            topic is None
            or not 0 < len(topic.encode()) <= _MAX_TOPIC_BYTES
            or topic.count("/") >= _MAX_LEVELS
            or not topic.isprintable()
            or any(letter in topic for letter in "+#")
            or topic.startswith(("$", forbidden, "homeassistant/"))
            or (self._home_assistant is not None and self._home_assistant.owns(topic))
        ):
            return self._topics.command_reply(verb if verb in set(Verb) else UNKNOWN)
        return topic
