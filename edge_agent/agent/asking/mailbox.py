"""What the gateway listens to at the broker: commands, and Home Assistant's word that it has started."""

from collections.abc import Callable, Sequence

from edge_agent.agent.asking.commander import Asked
from edge_agent.delivery.commands import CommandReply
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.topics import Topics

_MAX_TOPIC_BYTES = 512
_MAX_CORRELATION_BYTES = 256


class Mailbox:
    """Takes messages on the publisher's thread (`delivery.session.Mailbox`).

    Args:
        topics: The gateway's.
        handle: Carries commands out; None where nothing may be asked for.
        describe: Makes what Home Assistant is told; None where it is told nothing.
        home_assistant: Its discovery prefix.
    """

    def __init__(
        self,
        topics: Topics,
        handle: Callable[[Asked], CommandReply] | None,
        describe: Callable[[], Sequence[Letter]] | None = None,
        home_assistant: str = "homeassistant",
    ) -> None:
        self._topics = topics
        self._handle = handle
        self._describe = describe
        self._birth = f"{home_assistant}/status"

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""
        commands = [] if self._handle is None else [self._topics.commands]
        return commands if self._describe is None else [*commands, self._birth]

    def opened(self) -> Sequence[Letter]:
        """A connection was made."""
        return () if self._describe is None else self._describe()

    def received(self, message: Received) -> Sequence[Letter]:
        """A message came."""
        if self._describe is not None and message.topic == self._birth:
            return self._describe() if message.payload == b"online" and not message.retained else ()
        verb = self._topics.verb_of(message.topic)
        if verb is None or self._handle is None:
            return ()
        reply = self._handle(
            Asked(verb, message.payload, "mqtt", caller=message.sender, retained=message.retained)
        ).model_dump_json()
        if message.retained:
            return ()  # nobody waits for it
        correlation = message.correlation
        if correlation is not None and len(correlation) > _MAX_CORRELATION_BYTES:
            correlation = None
        return (Letter(self._answer_to(message, verb), reply.encode(), retain=False, correlation=correlation),)

    def _answer_to(self, message: Received, verb: str) -> str:
        """Where the sender waits, unless that is a place where an answer would pass for something else."""
        topic = message.response_topic
        forbidden = f"{self._topics.root}/"
        if (
            topic is None
            or not 0 < len(topic.encode()) <= _MAX_TOPIC_BYTES
            or any(letter in topic for letter in "+#\0")
            or topic.startswith(("$", forbidden, self._birth.partition("/")[0] + "/"))
        ):
            return self._topics.command_reply(verb)
        return topic
