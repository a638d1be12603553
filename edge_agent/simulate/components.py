"""What a machine's sound is made of: tones, impacts and noise, and the way each radiates to the microphone.

These are descriptions, all frozen; `edge_agent.simulate.renderers` turns them into samples. A machine and a fault are
both just tuples of components, so one renderer serves every type.

Levels are in dB relative to the machine's own running level at the microphone (mean power over a cycle).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """A structural resonance: impulse response `gain * exp(-pi f t / q) sin(2 pi f t)`."""

    frequency_hz: float
    q: float
    gain: float


@dataclass(frozen=True)
class Structure:
    """Radiates through the machine's own body, that is the modes of the `MachineSpec`."""


@dataclass(frozen=True)
class Air:
    """Radiates directly: nothing but room and microphone colour it."""


@dataclass(frozen=True)
class Colour:
    """A smooth magnitude response: `(frequency_hz, level_db)` points, straight lines over log frequency between."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Band:
    """Modes confined to a band; outside `low_hz..high_hz` it falls to nothing within a sixth of an octave.

    Without modes the band is flat.
    """

    low_hz: float
    high_hz: float
    modes: tuple[Mode, ...] = ()


@dataclass(frozen=True)
class Reverberant:
    """A decaying, diffuse response without direct sound: what is heard of a far event in a hall."""

    decay_s: float
    colour: Colour
    seed: int


Radiation = Structure | Air | Colour | Band | Reverberant


@dataclass(frozen=True)
class Clock:
    """What a component's phase follows.

    Attributes:
        ratio: Turns per turn of the main shaft (or per working cycle of a machine that has no shaft).
        fixed_hz: Turns per second that do not depend on the shaft, such as the mains.
        slip: Standard deviation of one turn's length, relative; it accumulates, as the slip of a bearing does.
    """

    ratio: float = 1.0
    fixed_hz: float = 0.0
    slip: float = 0.0

    def rate_hz(self, shaft_hz: float) -> float:
        """Turns per second at shaft speed `shaft_hz`."""
        return self.ratio * shaft_hz + self.fixed_hz


SHAFT = Clock()
"""The main shaft, or the working cycle."""


@dataclass(frozen=True)
class Modulation:
    """A gain `1 + depth cos(2 pi turns)`, normalised to a mean square of 1, on its own clock."""

    clock: Clock
    depth: float


@dataclass(frozen=True)
class Envelope:
    """A gain over one turn of the shaft or working cycle: `(phase, gain)` points, phases ascending in [0, 1)."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Component:
    """What all components share.

    Attributes:
        level_db: Mean level at the microphone relative to the machine's running level.
        radiation: The way to the microphone.
        speed_exponent: Amplitude grows with this power of the relative speed. 2 for unbalance forces; 2.5 to 3 for
            flow (dipole sound power grows with the 5th to 6th power of velocity: N. Curle, Proc. R. Soc. A 231, 1955).
        load_sensitivity: Relative change of amplitude per unit of relative load.
        wander_db: Standard deviation of slow changes of level.
        envelope: Gain over the working cycle, if any.
        modulation: Periodic gain, if any.
    """

    level_db: float
    radiation: Radiation
    speed_exponent: float = 2.0
    load_sensitivity: float = 0.3
    wander_db: float = 0.3
    envelope: Envelope | None = None
    modulation: Modulation | None = None


@dataclass(frozen=True, kw_only=True)
class Tones(Component):
    """Whole-number multiples (orders) of a clock, each with its own level (dB among themselves)."""

    clock: Clock = SHAFT
    orders: tuple[int, ...]
    order_levels_db: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Impacts(Component):
    """Impulses at fixed phases of each turn of a clock; `spread` is the log-normal sigma of their strength."""

    clock: Clock = SHAFT
    phases: tuple[float, ...] = (0.0,)
    spread: float = 0.2


@dataclass(frozen=True, kw_only=True)
class RandomImpacts(Component):
    """Impulses at random times, `rate_hz` a second on average (a Poisson process)."""

    rate_hz: float
    spread: float = 0.6


@dataclass(frozen=True, kw_only=True)
class Noise(Component):
    """Random noise, as of flow, friction and rolling."""


AnyComponent = Tones | Impacts | RandomImpacts | Noise
