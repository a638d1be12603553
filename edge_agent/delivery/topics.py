"""The topics of one gateway; no name can smuggle a level or a wildcard into them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_agent.delivery.errors import DeliveryError, Failure

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""Machine, source, site and gateway ids, and each level of the root."""

_ID = re.compile(ID_PATTERN[1:-1])


def _checked(kind: str, value: str) -> str:
    if not _ID.fullmatch(value):
        raise DeliveryError(
            Failure.INVALID,
            f"{kind} {value!r} cannot be part of a topic: 1-64 of A-Z a-z 0-9 _ . -, a letter or digit first",
        )
    return value


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of everything one gateway publishes and listens to.

    Attributes:
        root: First levels, shared by all sites; may hold `/`.
        site: Id of the plant.
        gateway: Id of this computer.

    Raises:
        DeliveryError: A part does not match `ID_PATTERN`.

    >>> Topics("factory", "north", "gw1").machine_result("fan-1")
    'factory/north/gw1/machine/fan-1/result'
    """

    root: str
    site: str
    gateway: str

    def __post_init__(self) -> None:
        """Check every level."""
        for level in self.root.split("/"):
            _checked("topic root", level)
        _checked("site", self.site)
        _checked("gateway", self.gateway)

    @property
    def base(self) -> str:
        """What every topic of this gateway begins with, without the last slash."""
        return f"{self.root}/{self.site}/{self.gateway}"

    @property
    def status(self) -> str:
        """Birth and will; retained."""
        return f"{self.base}/status"

    @property
    def plant_alarm(self) -> str:
        """The plant event's alarm; retained."""
        return f"{self.base}/alarm"

    @property
    def alarms(self) -> tuple[str, ...]:
        """Filters of everything that is retained of alarms."""
        return self.plant_alarm, f"{self.base}/machine/+/alarm", f"{self.base}/machine/+/fault/+"

    def machine_of_alarm(self, topic: str) -> tuple[str, str] | None:
        """Machine and class of fault of an alarm's topic, empty where there is none; None for any other topic.

        >>> Topics("factory", "north", "gw1").machine_of_alarm("factory/north/gw1/machine/fan-1/fault/hum")
        ('fan-1', 'hum')
        """
        if topic == self.plant_alarm:
            return "", ""
        if not topic.startswith(f"{self.base}/machine/"):
            return None
        match topic.removeprefix(f"{self.base}/machine/").split("/"):
            case [machine, "alarm"] if _ID.fullmatch(machine):
                return machine, ""
            case [machine, "fault", fault] if _ID.fullmatch(machine) and _ID.fullmatch(fault):
                return machine, fault
        return None

    @property
    def commands(self) -> str:
        """Filter of the commands to this gateway; their replies, one level below, are not in it."""
        return f"{self.base}/cmd/+"

    def command(self, verb: str) -> str:
        """Where one kind of command is expected."""
        return f"{self.base}/cmd/{_checked('command', verb)}"

    def command_reply(self, verb: str) -> str:
        """Where a command is answered that names no topic of its own."""
        return f"{self.command(verb)}/reply"

    def verb_of(self, topic: str) -> str | None:
        """The command that a topic of ours carries, in the sender's word, if it is one or not; None elsewhere."""
        prefix, _, verb = topic.rpartition("/")
        return verb if prefix == f"{self.base}/cmd" else None

    def source_state(self, source: str) -> str:
        """State of one source; retained."""
        return f"{self.base}/source/{_checked('source', source)}/state"

    def machine_result(self, machine: str) -> str:
        """One event per window."""
        return f"{self.base}/machine/{_checked('machine', machine)}/result"

    def machine_alarm(self, machine: str) -> str:
        """The machine's alarm; retained."""
        return f"{self.base}/machine/{_checked('machine', machine)}/alarm"

    def machine_fault(self, machine: str, fault: str) -> str:
        """One class of fault of the machine's input; retained."""
        return f"{self.base}/machine/{_checked('machine', machine)}/fault/{_checked('fault', fault)}"

    def machine_health(self, machine: str) -> str:
        """The machine's health assessment; retained."""
        return f"{self.base}/machine/{_checked('machine', machine)}/health"
