"""The states of an alarm and what leads from one to another (ANSI/ISA-18.2-2016, figure 3).

>>> print(next_state(State.UNACKNOWLEDGED, Event.ACKNOWLEDGE, active=True, latch=False))
acknowledged
>>> next_state(State.NORMAL, Event.ACKNOWLEDGE, active=False, latch=False) is None
True
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an alarm stands; the words of the events."""

    NORMAL = "normal"
    """Nothing is wrong, and nobody has to look (state A of the standard)."""
    UNACKNOWLEDGED = "unacknowledged"
    """Something is wrong, and nobody has seen it (B)."""
    ACKNOWLEDGED = "acknowledged"
    """Something is wrong, and a person has seen it (C)."""
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    """It is over, and nobody has seen it (D)."""
    LATCHED = "latched"
    """It is over, and waits for a person to reset it by acknowledging (E)."""
    SUPPRESSED = "suppressed"
    """Something is wrong that the plant event tells already (H, suppressed by design)."""
    SHELVED = "shelved"
    """A person put it aside for some time (G)."""
    OUT_OF_SERVICE = "out_of_service"
    """A person took it out of service, until somebody puts it back (I)."""


class Event(StrEnum):
    """What happens to an alarm."""

    RAISE = "raise"
    """The condition began."""
    STEP_UP = "step_up"
    """The condition became more severe."""
    CLEAR = "clear"
    """The condition ended."""
    SUPPRESS = "suppress"
    """A plant event tells it from now on."""
    RELEASE = "release"
    """The plant event is over."""
    ACKNOWLEDGE = "acknowledge"
    """A person has seen it."""
    SHELVE = "shelve"
    """A person puts it aside for some time."""
    UNSHELVE = "unshelve"
    """A person takes it back, or the time is over."""
    OUT_OF_SERVICE = "out_of_service"
    """A person takes it out of service."""
    IN_SERVICE = "in_service"
    """A person puts it back into service."""


BY_PEOPLE: Final = (Event.ACKNOWLEDGE, Event.SHELVE, Event.UNSHELVE, Event.OUT_OF_SERVICE, Event.IN_SERVICE)
"""Events that a person brings about: where the table has no cell for them they are refused, others are of no effect."""

QUIET: Final = (State.SUPPRESSED, State.SHELVED, State.OUT_OF_SERVICE)
"""States in which an alarm bothers nobody, whatever its condition does."""

_BY_CONDITION: Final = None
"""Target of a cell: unacknowledged while the condition holds, else normal."""

_ASIDE: Final = {Event.SHELVE: State.SHELVED, Event.OUT_OF_SERVICE: State.OUT_OF_SERVICE}

TABLE: Final[Mapping[State, Mapping[Event, State | None]]] = {
    State.NORMAL: {Event.RAISE: State.UNACKNOWLEDGED, **_ASIDE},
    State.UNACKNOWLEDGED: {
        Event.STEP_UP: State.UNACKNOWLEDGED,
        Event.CLEAR: State.RETURNED_UNACKNOWLEDGED,
        Event.SUPPRESS: State.SUPPRESSED,
        Event.ACKNOWLEDGE: State.ACKNOWLEDGED,
        **_ASIDE,
    },
    State.ACKNOWLEDGED: {
        Event.STEP_UP: State.UNACKNOWLEDGED,
        Event.CLEAR: State.NORMAL,
        Event.SUPPRESS: State.SUPPRESSED,
        **_ASIDE,
    },
    State.RETURNED_UNACKNOWLEDGED: {Event.RAISE: State.UNACKNOWLEDGED, Event.ACKNOWLEDGE: State.NORMAL, **_ASIDE},
    State.LATCHED: {Event.RAISE: State.UNACKNOWLEDGED, Event.ACKNOWLEDGE: State.NORMAL, **_ASIDE},
    State.SUPPRESSED: {Event.CLEAR: State.NORMAL, Event.RELEASE: _BY_CONDITION, **_ASIDE},
    State.SHELVED: {
        Event.SHELVE: State.SHELVED,
        Event.UNSHELVE: _BY_CONDITION,
        Event.OUT_OF_SERVICE: State.OUT_OF_SERVICE,
    },
    State.OUT_OF_SERVICE: {Event.IN_SERVICE: _BY_CONDITION},
}
"""From a state by an event to a state; `None` stands for the one that the condition decides."""

_LATCHING: Final = (State.UNACKNOWLEDGED, State.ACKNOWLEDGED)


def next_state(state: State, event: Event, *, active: bool, latch: bool) -> State | None:
    """Where an event leads.

    Args:
        state: Where the alarm stands.
        event: What happens.
        active: Whether the condition holds, after the event.
        latch: Whether an alarm that is over waits for a person to reset it.

    Returns:
        The next state; None where the event has no meaning in this one.
    """
    cells = TABLE[state]
    if event not in cells:
        return None
    if latch and event is Event.CLEAR and state in _LATCHING:
        return State.LATCHED
    target = cells[event]
    if target is not None:
        return target
    return State.UNACKNOWLEDGED if active else State.NORMAL


def markdown_table() -> str:
    """The table as documents show it: a row for each state, a column for each event."""
    header = f"| | {' | '.join(event.value for event in Event)} |"
    lines = [header, "|---" * (len(Event) + 1) + "|"]
    for state in State:
        cells = [_cell(state, event) for event in Event]
        lines.append(f"| **{state.value}** | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(state: State, event: Event) -> str:
    on, off, latched = (
        next_state(state, event, active=active, latch=latch)
        for active, latch in ((True, False), (False, False), (False, True))
    )
    if on is None or off is None:
        return "refused" if event in BY_PEOPLE else "-"
    if on is not off:
        return f"{on.value} / {off.value} (1)"
    return f"{off.value} (2)" if latched is not off else off.value
