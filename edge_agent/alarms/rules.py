"""How alarms behave, and what people do to them."""

from dataclasses import dataclass, field

from edge_agent.alarms.plant import PlantRules
from edge_agent.alarms.states import Event


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """How alarms behave.

    Attributes:
        latch: Whether an alarm that is over waits for a person to reset it.
        rejoin_s: A condition that comes back within this time goes on with its episode.
        settle_s: ... and must then be off for this long to end, twice as long each time it comes back.
        plant: When most machines at once are a plant event.
    """

    latch: bool = False
    rejoin_s: float = 3600.0
    settle_s: float = 120.0
    plant: PlantRules = field(default_factory=PlantRules)


@dataclass(frozen=True, slots=True)
class Action:
    """What a person does to an alarm.

    Attributes:
        event: One of `BY_PEOPLE`.
        operator: Who.
        reason: Why.
        until_ns: End of shelving, for that.
    """

    event: Event
    operator: str | None = None
    reason: str | None = None
    until_ns: int | None = None
