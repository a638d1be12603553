"""Sounds and faults that several machine types share."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.simulate.bearing import Bearing
from edge_agent.simulate.components import (
    Air,
    AnyComponent,
    Clock,
    Impacts,
    Mode,
    Modulation,
    Noise,
    Structure,
    Tones,
)
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind
from edge_agent.simulate.spec import Drive, Elements, FaultVoice


@dataclass(frozen=True)
class Anatomy:
    """What a type's `draw_anatomy` decides of an individual: all but where it stands and how it is heard."""

    drive: Drive
    elements: Elements
    modes: tuple[Mode, ...]
    sound: tuple[AnyComponent, ...]
    faults: tuple[FaultVoice, ...]


def rotating_drive(draw: Draw, low_hz: float, high_hz: float, fluctuation: tuple[float, float]) -> Drive:
    """A shaft driven by a motor, with one to three operating points."""
    return Drive(
        shaft_hz=draw.log_uniform(low_hz, high_hz),
        idle_speed=draw.uniform(0.4, 0.75),
        fluctuation=draw.log_uniform(*fluctuation),
        fluctuation_s=draw.log_uniform(0.1, 2.0),
        spin_up_s=draw.log_uniform(0.3, 2.0),
        load_slip=draw.uniform(0.0, 0.04),
        loads=tuple(draw.uniform(0.7, 1.2) for _ in range(draw.integer(1, 3))),
        dwell_s=draw.log_uniform(15, 90),
    )


def cycling_drive(draw: Draw, low_hz: float, high_hz: float) -> Drive:
    """A working cycle kept by a controller: nearly even, with no run-up."""
    return Drive(
        shaft_hz=draw.log_uniform(low_hz, high_hz),
        idle_speed=draw.uniform(0.3, 0.6),
        fluctuation=draw.log_uniform(0.002, 0.03),
        fluctuation_s=draw.log_uniform(0.5, 3.0),
        spin_up_s=0.1,
        load_slip=0.0,
        loads=tuple(draw.uniform(0.8, 1.2) for _ in range(draw.integer(1, 2))),
        dwell_s=draw.log_uniform(15, 90),
    )


def mains_hz(draw: Draw) -> float:
    """Frequency of the supply, with the little it is off by."""
    return draw.choice((50.0, 60.0)) + draw.uniform(-0.03, 0.03)


def motor_hum(draw: Draw, mains: float, level_db: tuple[float, float]) -> Tones:
    """Magnetic hum of an induction motor: the pull goes with the square of the field, so at twice the mains."""
    return Tones(
        level_db=draw.uniform(*level_db),
        radiation=Structure(),
        speed_exponent=0.5,
        load_sensitivity=0.6,
        clock=Clock(ratio=0.0, fixed_hz=2 * mains),
        orders=(1, 2, 3, 4, 6, 8),
        order_levels_db=draw.falling_db(6, 2, 8, 4),
    )


def shaft_tones(draw: Draw, count: int, level_db: tuple[float, float]) -> Tones:
    """The first orders of the shaft: residual unbalance, misalignment, looseness."""
    return Tones(
        level_db=draw.uniform(*level_db),
        radiation=Structure(),
        orders=tuple(range(1, count + 1)),
        order_levels_db=draw.falling_db(count, 1, 6, 6),
    )


def passing_tones(draw: Draw, elements: int, harmonics: int, level_db: tuple[float, float]) -> Tones:
    """Blade- or vane-pass tones at `elements` times the shaft speed and its harmonics.

    The lines beside them come from blades that are not quite alike (M. P. Norton and D. G. Karczub, "Fundamentals of
    Noise and Vibration Analysis for Engineers", 2003, on fans and pumps).
    """
    levels_db = draw.falling_db(harmonics, 2, 9, 3)
    lines = {elements * (k + 1): level for k, level in enumerate(levels_db)}
    for k, level in enumerate(levels_db):
        for side in (-1, 1):
            lines.setdefault(elements * (k + 1) + side, level - draw.uniform(14, 30))
    orders = tuple(sorted(order for order in lines if order > 0))
    return Tones(
        level_db=draw.uniform(*level_db),
        radiation=Air() if draw.chance(0.5) else Structure(),
        speed_exponent=2.5,
        wander_db=draw.uniform(0.2, 1.0),
        orders=orders,
        order_levels_db=tuple(lines[order] for order in orders),
    )


def flow_noise(draw: Draw, passing_ratio: int, level_db: tuple[float, float]) -> Noise:
    """Turbulence: broad, with a hump, beating at the passing of blades or vanes."""
    return Noise(
        level_db=draw.uniform(*level_db),
        radiation=draw.colour(100, 2_000, (1.5, 9), 4.5),
        speed_exponent=draw.uniform(2.3, 3.0),
        wander_db=draw.uniform(0.2, 0.8),
        modulation=Modulation(Clock(ratio=passing_ratio), draw.uniform(0.05, 0.5)),
    )


def rolling_noise(draw: Draw, level_db: tuple[float, float]) -> Noise:
    """Sound bearings, brushes and seals: weak and high."""
    return Noise(
        level_db=draw.uniform(*level_db),
        radiation=draw.colour(1500, 6000, (3, 9), 5),
        speed_exponent=1.5,
        modulation=Modulation(Clock(ratio=1), draw.uniform(0.0, 0.4)),
    )


def imbalance(draw: Draw, kind: FaultKind, shaft_hz: float) -> FaultVoice:
    """A mass off centre: the first order grows with the square of speed, a few weaker ones with it."""
    tones = Tones(
        level_db=draw.uniform(-4, 5),
        radiation=Air(),
        orders=(1, 2, 3, 4),
        order_levels_db=(0.0, draw.uniform(-16, -6), draw.uniform(-20, -10), draw.uniform(-26, -14)),
    )
    return FaultVoice(kind, (0.8 * shaft_hz, 4.6 * shaft_hz), (tones,))


def bearing_defect(draw: Draw, kind: FaultKind, order: float, modulation: Modulation | None = None) -> FaultVoice:
    """A defect struck `order` times a turn rings a resonance of the housing.

    Impulses with accumulating slip of about 1 % (J. Antoni and R. B. Randall, "A stochastic model for simulation and
    diagnostics of rolling element bearings with localized faults", Journal of Vibration and Acoustics 125, 2003), and,
    on a turning race, strength that follows the load zone once a turn.
    """
    band = draw.band(kind, (0.9, 1.6))
    strikes = Impacts(
        level_db=draw.uniform(-6, 3),
        radiation=band,
        clock=Clock(ratio=order, slip=draw.uniform(0.005, 0.02)),
        spread=draw.uniform(0.1, 0.35),
        modulation=modulation,
    )
    return FaultVoice(kind, (band.low_hz, band.high_hz), (strikes,))


def outer_race(draw: Draw, kind: FaultKind, bearing: Bearing) -> FaultVoice:
    """A pit in the fixed outer race, always in the load zone."""
    return bearing_defect(draw, kind, bearing.outer_race_order)


def inner_race(draw: Draw, kind: FaultKind, bearing: Bearing) -> FaultVoice:
    """A pit in the turning inner race, in and out of the load zone once a turn."""
    return bearing_defect(draw, kind, bearing.inner_race_order, Modulation(Clock(ratio=1), draw.uniform(0.6, 0.95)))
