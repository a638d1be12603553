"""What Home Assistant is told, and taken back: the descriptions that are retained for it outlive the agent."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge_agent.delivery.home_assistant import TOPIC_PATTERN
from edge_agent.delivery.signals import Letter, Received
from edge_agent.durable import write_whole
from edge_agent.record import Record

_log = logging.getLogger(__name__)
_MAX_BYTES = 256 * 1024
_USUAL_BIRTH = "homeassistant/status"
"""Where Home Assistant says that it has started; a discovery prefix of its own does not change it."""


class _File(Record):
    version: Literal[1]
    topics: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=TOPIC_PATTERN, max_length=512)], ...], Field(max_length=2048)
    ]


class HomeAssistantWord:
    """Describes the machines at each connection and birth, and takes back what is described no more.

    What was ever described stands in `<state>/home_assistant.json` until the broker has taken it back: of machines that
    were configured away, with another prefix, or all of it once it is turned off. Publisher's thread.

    Args:
        state_dir: Where the file lies.
        describe: Makes the descriptions; None where it is told nothing.
        prefix: Its discovery prefix.
    """

    def __init__(self, state_dir: Path, describe: Callable[[], Sequence[Letter]] | None, prefix: str) -> None:
        self._path = state_dir / "home_assistant.json"
        self._describe = describe
        self._births = () if describe is None else tuple(dict.fromkeys((f"{prefix}/status", _USUAL_BIRTH)))
        self._levels = frozenset({prefix.partition("/")[0], _USUAL_BIRTH.partition("/")[0]})
        self._described = self._load()
        self._taking_back: set[str] = set()
        self._fails = False

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""
        return self._births

    def owns(self, topic: str) -> bool:
        """Whether a topic is Home Assistant's, where an answer would pass for something else."""
        return topic.partition("/")[0] in self._levels

    def opened(self) -> Sequence[Letter]:
        """A connection was made, or what there is to describe has changed."""
        letters = () if self._describe is None else self._describe()
        topics = {letter.topic for letter in letters}
        gone = self._described - topics
        self._keep(self._described | topics)
        self._taking_back = set(gone)
        return [*(Letter(topic, b"") for topic in sorted(gone)), *letters]

    def received(self, message: Received) -> Sequence[Letter]:
        """It may have started."""
        started = message.topic in self._births and message.payload == b"online" and not message.retained
        return self.opened() if started else ()

    def delivered(self, topic: str) -> None:
        """The broker has a letter: what was taken back need not be again."""
        if topic in self._taking_back:
            self._taking_back.discard(topic)
            self._keep(self._described - {topic})

    def _load(self) -> frozenset[str]:
        try:
            with self._path.open("rb") as file:
                return frozenset(_File.model_validate_json(file.read(_MAX_BYTES)).topics)
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            _log.warning(
                "%s cannot be used (%s): what Home Assistant was told before is not taken back",
                self._path,
                str(error).splitlines()[0],
            )
            return frozenset()

    def _keep(self, topics: frozenset[str] | set[str]) -> None:
        if topics == self._described:
            return
        self._described = frozenset(topics)
        try:
            write_whole(self._path, _File(version=1, topics=tuple(sorted(topics))).model_dump_json().encode())
        except OSError as error:
            if not self._fails:
                _log.warning("%s cannot be written (%s); check the disk", self._path, error.strerror)
            self._fails = True
        else:
            self._fails = False
