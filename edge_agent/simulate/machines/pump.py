"""Centrifugal pump: vane-pass tones, liquid noise, motor."""

from __future__ import annotations

from edge_agent.simulate.components import Clock, Modulation, Noise, RandomImpacts
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import (
    Anatomy,
    flow_noise,
    mains_hz,
    motor_hum,
    outer_race,
    passing_tones,
    rolling_noise,
    rotating_drive,
    shaft_tones,
)
from edge_agent.simulate.spec import Elements, FaultVoice

CAVITATION = FaultKind(
    MachineType.PUMP, "cavitation", (2_000, 7_400), "vapour bubbles collapse in bursts, more as each vane passes"
)
BEARING = FaultKind(MachineType.PUMP, "bearing_outer_race", (1_500, 7_200), "impulses at BPFO ring the housing")
LEAK = FaultKind(MachineType.PUMP, "leak", (1_800, 7_400), "a jet through a worn seal: steady hiss")
FAULT_KINDS = (CAVITATION, BEARING, LEAK)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual pump."""
    drive = rotating_drive(draw, 18, 60, (0.0005, 0.006))
    vanes, bearing, mains = draw.integer(4, 9), draw.bearing(), mains_hz(draw)
    body = draw.modes(120, 4_500, (6, 14), (8, 60))
    sound = (
        passing_tones(draw, vanes, 8, (-8, 0)),
        flow_noise(draw, vanes, (-10, 0)),
        shaft_tones(draw, 8, (-16, -4)),
        motor_hum(draw, mains, (-18, -4)),
        rolling_noise(draw, (-30, -16)),
    )
    faults = (_cavitation(draw, vanes), outer_race(draw, BEARING, bearing), _leak(draw))
    return Anatomy(drive, Elements(blades=vanes, bearing=bearing, mains_hz=mains), body, sound, faults)


def _cavitation(draw: Draw, vanes: int) -> FaultVoice:
    """Collapses as a Poisson process over noise (C. E. Brennen, "Cavitation and Bubble Dynamics", 1995, chapter 3)."""
    band = draw.band(CAVITATION, (1.2, 1.8), modes=(2, 5), q=(2, 8))
    passing = Modulation(Clock(ratio=vanes), draw.uniform(0.3, 0.8))
    collapses = RandomImpacts(
        level_db=draw.uniform(-6, 2),
        radiation=band,
        rate_hz=draw.log_uniform(80, 800),
        spread=draw.uniform(0.5, 1.0),
        modulation=passing,
    )
    hiss = Noise(level_db=draw.uniform(-12, -3), radiation=band, speed_exponent=3.0, modulation=passing)
    return FaultVoice(CAVITATION, (band.low_hz, band.high_hz), (collapses, hiss))


def _leak(draw: Draw) -> FaultVoice:
    band = draw.band(LEAK, (1.0, 2.0), modes=(2, 4), q=(1.5, 6))
    hiss = Noise(level_db=draw.uniform(-6, 2), radiation=band, speed_exponent=1.5, wander_db=0.6)
    return FaultVoice(LEAK, (band.low_hz, band.high_hz), (hiss,))
