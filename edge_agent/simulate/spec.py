"""The description of one machine, where it stands and how it is heard."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.simulate.bearing import Bearing
from edge_agent.simulate.components import AnyComponent, Mode
from edge_agent.simulate.kinds import FaultKind, MachineType, SimulationError


@dataclass(frozen=True)
class Drive:
    """How a machine turns or cycles.

    Attributes:
        shaft_hz: Turns of the main shaft a second at full speed; of a valve or rail, working cycles a second.
        idle_speed: Speed when idle, relative to full speed.
        fluctuation: Standard deviation of the relative speed.
        fluctuation_s: Time constant of the fluctuation in seconds.
        spin_up_s: Time constant of starting and stopping in seconds.
        load_slip: Relative loss of speed per unit of relative load.
        loads: Operating points: relative loads between which the machine changes.
        dwell_s: Mean time at one operating point in seconds.
    """

    shaft_hz: float
    idle_speed: float
    fluctuation: float
    fluctuation_s: float
    spin_up_s: float
    load_slip: float
    loads: tuple[float, ...]
    dwell_s: float


@dataclass(frozen=True)
class Elements:
    """The counted and geometric parts that fix a machine's frequencies; 0 or None where it has none.

    Attributes:
        blades: Blades of a fan or propeller, vanes of a pump.
        teeth: Teeth of the driving and of the driven gear.
        pole_pairs: Pole pairs of the motor.
        cylinders: Cylinders of a compressor.
        bearing: Geometry of the main bearing.
        mains_hz: Frequency of the supply.
    """

    blades: int = 0
    teeth: tuple[int, int] = (0, 0)
    pole_pairs: int = 0
    cylinders: int = 0
    bearing: Bearing | None = None
    mains_hz: float = 50.0


@dataclass(frozen=True)
class Room:
    """Early reflections `(delay_s, gain)` and an exponentially decaying diffuse tail.

    The tail is Gaussian noise under an exponential envelope (J. A. Moorer, "About this reverberation business",
    Computer Music Journal 3(2), 1979).
    """

    reflections: tuple[tuple[float, float], ...]
    reverberation_s: float
    tail_db: float
    seed: int


@dataclass(frozen=True)
class Microphone:
    """How sound becomes samples.

    Attributes:
        level_dbfs: Level of the running, healthy machine alone.
        low_cut_hz: -3 dB point of the second-order low cut.
        tilt_db_per_octave: Slope of the response about 1 kHz.
        bumps: `(frequency_hz, gain_db, width_octaves)`: mounting and capsule resonances.
        noise_dbfs: Level of the converter's own white noise.
    """

    level_dbfs: float
    low_cut_hz: float
    tilt_db_per_octave: float
    bumps: tuple[tuple[float, float, float], ...]
    noise_dbfs: float


@dataclass(frozen=True)
class FaultVoice:
    """What one fault adds to one individual at severity 1, and the band in which it lies."""

    kind: FaultKind
    band_hz: tuple[float, float]
    components: tuple[AnyComponent, ...]


@dataclass(frozen=True)
class MachineSpec:
    """One individual machine, whole: drive, elements, sound, faults, room, microphone, surroundings.

    Attributes:
        machine_type: What kind of machine it is.
        id: Name of the individual.
        drive: How it turns.
        elements: What it is made of.
        modes: Resonances of its body.
        sound: Components of its healthy sound.
        faults: What each fault kind of the type adds.
        room: Where it stands.
        microphone: How it is heard.
        surroundings: Components of the background, which sounds whether the machine runs or not; their levels are
            relative to the machine's running level too.
    """

    machine_type: MachineType
    id: str
    drive: Drive
    elements: Elements
    modes: tuple[Mode, ...]
    sound: tuple[AnyComponent, ...]
    faults: tuple[FaultVoice, ...]
    room: Room
    microphone: Microphone
    surroundings: tuple[AnyComponent, ...]

    def fault_voice(self, kind: FaultKind) -> FaultVoice:
        """What `kind` adds to this machine; `SimulationError` where its type cannot fail so."""
        for voice in self.faults:
            if voice.kind == kind:
                return voice
        known = ", ".join(voice.kind.key for voice in self.faults)
        msg = f"machine {self.id!r} cannot have the fault {kind.key!r}; it can have: {known}"
        raise SimulationError(msg)

    def fault_band_hz(self, kind: FaultKind) -> tuple[float, float]:
        """Lowest and highest frequency of what `kind` adds to this machine; within `kind.band_hz`."""
        return self.fault_voice(kind).band_hz
