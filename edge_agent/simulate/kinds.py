"""The vocabulary of the simulation: machine types, operating states, fault kinds and the one error."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SimulationError(ValueError):
    """A simulation was asked for something that makes no sense; the message names it and the mend."""


class MachineType(StrEnum):
    """Machines that can be simulated."""

    FAN = "fan"
    PUMP = "pump"
    VALVE = "valve"
    SLIDE_RAIL = "slide_rail"
    GEARBOX = "gearbox"
    BLDC_MOTOR = "bldc_motor"
    COMPRESSOR = "compressor"


class MachineState(StrEnum):
    """Operating state of a simulated machine; `off` leaves the background only, after the machine ran down."""

    OFF = "off"
    IDLE = "idle"
    RUNNING = "running"


@dataclass(frozen=True)
class FaultKind:
    """One way in which a type of machine fails.

    Attributes:
        machine_type: The type that can fail this way.
        name: Short name, unique within the type.
        band_hz: Lowest and highest frequency between which the fault's added sound lies for every individual of the
            type. `MachineSpec.fault_band_hz` gives the narrower band of one individual, against which an
            explanation's bands can be checked.
        mechanism: What happens in the machine, in a line.
    """

    machine_type: MachineType
    name: str
    band_hz: tuple[float, float]
    mechanism: str

    @property
    def key(self) -> str:
        """Type and name, `fan/imbalance`."""
        return f"{self.machine_type}/{self.name}"
