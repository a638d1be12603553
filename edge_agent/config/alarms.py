"""`[alarms]`: how alarms behave once they are raised."""

from typing import Literal

from pydantic import Field

from edge_agent.settings.base import Section

Fault = Literal[
    "dead", "frozen", "unplugged", "stopped", "clipped", "dc_offset", "frozen_bits", "muffled", "hum",
    "identity_mismatch", "source_down",
]  # fmt: skip


class AlarmsSection(Section):
    """How alarms behave once they are raised."""

    latch: bool = Field(default=False, description="An alarm that is over waits until somebody acknowledges it.")
    rejoin_s: int = Field(
        default=3600, ge=0, le=604_800, description="An alarm that comes back within this time is the same one."
    )
    settle_s: int = Field(
        default=120,
        ge=0,
        le=86_400,
        description="Quiet that ends an alarm which came back once; twice as long each further time.",
    )
    fault_on_s: int = Field(default=30, ge=0, le=86_400, description="A fault of the input must last this long.")
    fault_off_s: int = Field(default=60, ge=0, le=86_400, description="... and be gone for this long to be over.")
    ignored_faults: tuple[Fault, ...] = Field(
        default=("stopped",),
        strict=False,
        max_length=16,
        description="Faults of the input that raise no alarm; results name them all the same.",
    )
    plant_machines: int = Field(
        default=3, ge=0, le=256, description="This many machines that rise at once are a plant event; 0: never."
    )
    plant_share: float = Field(default=0.6, ge=0.5, le=1.0, description="... if they are this part of all machines.")
    plant_within_s: int = Field(default=120, ge=1, le=3600, description='What "at once" means.')
    longest_shelving_s: int = Field(
        default=604_800, ge=60, le=31_536_000, description="Nobody can shelve an alarm for longer."
    )
