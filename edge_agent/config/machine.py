"""`[[machine]]`: what is watched."""

from pydantic import Field

from edge_agent.settings.base import Identifier, Section


class MachineSection(Section):
    """One machine that is watched."""

    id: Identifier = Field(description="Name of the machine, unique on this gateway.", examples=["fan_1"])
    type: Identifier = Field(
        default="generic", description="Kind of machine (fan, pump, valve, ...): picks what the bundle knows of it."
    )
    false_alarms_per_week: float | None = Field(
        default=None,
        ge=0.001,
        le=1000.0,
        description="This machine's own budget. Unset: the one of [detection].",
        examples=[0.5],
    )
