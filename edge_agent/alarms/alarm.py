"""One alarm: what it is about, and all that is known of its episode."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from edge_agent.alarms.states import Event, State


class Kind(StrEnum):
    """What an alarm is about; kinds never mix."""

    ANOMALY = "anomaly"
    """The machine sounds unlike itself."""
    INPUT_FAULT = "input_fault"
    """The microphone, its wiring or its source; says nothing of the machine."""
    PLANT_EVENT = "plant_event"
    """Most machines rose at once."""


class Severity(IntEnum):
    """How soon a person should look."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As events spell it.

        >>> Severity.HIGH.word
        'high'
        """
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class AlarmKey:
    """Which alarm.

    Attributes:
        kind: What it is about.
        machine: Whose; empty for the plant's.
        fault: Class of an input fault (`hum`, `dead`, ...); empty for the other kinds.
    """

    kind: Kind
    machine: str = ""
    fault: str = ""

    def __str__(self) -> str:
        """For messages.

        >>> str(AlarmKey(Kind.INPUT_FAULT, "fan_1", "hum"))
        'input_fault alarm (hum) of fan_1'
        """
        fault = f" ({self.fault})" if self.fault else ""
        return f"{self.kind.value} alarm{fault} of {self.machine or 'the plant'}"


PLANT = AlarmKey(Kind.PLANT_EVENT)


@dataclass(frozen=True, slots=True)
class Condition:
    """Why an alarm is on.

    Attributes:
        severity: How severe now; within an episode only a higher one counts.
        text: One sentence for a person.
        machines: Who is part of it, for a plant event.
    """

    severity: Severity
    text: str
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where one alarm stands. Times are wall time in nanoseconds.

    Attributes:
        key: Which alarm.
        state: Where it stands.
        active: Whether its condition holds; it may while the alarm is shelved.
        id: Id of the episode; empty before the first. An alarm that was put aside without one has an id, too.
        severity: The highest of the episode.
        text: What is wrong, in one sentence.
        raised_ns: When the episode began; None before the first.
        changed_ns: When it came into this state.
        cleared_ns: When the condition ended; None while it holds.
        reraised: How often the condition came back, or grew, within the episode.
        returns: How often the condition came back within the episode.
        quiet_since_ns: Since when the condition is off, while that does not count yet; not kept over a restart.
        acknowledged_ns: When a person saw this episode.
        acknowledged_by: Who.
        acknowledged_severity: What there was to see then.
        shelved_until_ns: When shelving ends by itself.
        operator: Who acted on it last.
        reason: Why, in that person's words.
        label: What a person said that it was.
        machines: Who is part of a plant event.
    """

    key: AlarmKey
    state: State = State.NORMAL
    active: bool = False
    id: str = ""
    severity: Severity = Severity.LOW
    text: str = ""
    raised_ns: int | None = None
    changed_ns: int = 0
    cleared_ns: int | None = None
    reraised: int = 0
    returns: int = 0
    quiet_since_ns: int | None = None
    acknowledged_ns: int | None = None
    acknowledged_by: str | None = None
    acknowledged_severity: Severity | None = None
    shelved_until_ns: int | None = None
    operator: str | None = None
    reason: str | None = None
    label: str | None = None
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to an alarm.

    Attributes:
        alarm: Where it stands after it.
        event: What happened; None where only what is known of it grew.
        begun: Whether a new episode began.
        annunciated: Whether a person must be told: it is unacknowledged now, and was not before or is more severe.
    """

    alarm: Alarm
    event: Event | None
    begun: bool = False
    annunciated: bool = False
