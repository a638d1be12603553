"""Reciprocating compressor: a stroke and a pair of valves per cylinder and turn."""

from __future__ import annotations

from edge_agent.simulate.components import Clock, Envelope, Impacts, Modulation, Noise, Structure
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import (
    Anatomy,
    mains_hz,
    motor_hum,
    outer_race,
    rolling_noise,
    rotating_drive,
    shaft_tones,
)
from edge_agent.simulate.spec import Elements, FaultVoice

VALVE_LEAK = FaultKind(
    MachineType.COMPRESSOR, "valve_leak", (1_800, 7_400), "a reed does not close: gas hisses back on every stroke"
)
ROD_KNOCK = FaultKind(MachineType.COMPRESSOR, "rod_knock", (150, 2_500), "play in the rod bearing: a blow each turn")
BEARING = FaultKind(MachineType.COMPRESSOR, "bearing_outer_race", (1_500, 7_200), "impulses at BPFO ring the housing")
FAULT_KINDS = (VALVE_LEAK, ROD_KNOCK, BEARING)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual compressor."""
    drive = rotating_drive(draw, 8, 30, (0.001, 0.015))
    cylinders, bearing, mains = draw.integer(1, 3), draw.bearing(), mains_hz(draw)
    body = draw.modes(150, 5_000, (6, 14), (5, 40))
    opens = draw.uniform(0.05, 0.2)
    valves = tuple((opens + side + k / cylinders) % 1.0 for k in range(cylinders) for side in (0.0, 0.45))
    sound = (
        Impacts(
            level_db=draw.uniform(-6, 0), radiation=Structure(), phases=valves, spread=0.15, clock=Clock(slip=0.002)
        ),
        shaft_tones(draw, 12, (-6, 0)),
        Noise(
            level_db=draw.uniform(-10, -2),
            radiation=draw.colour(120, 2_500, (1.5, 9), 4.5),
            modulation=Modulation(Clock(ratio=cylinders), draw.uniform(0.4, 1.0)),
        ),
        motor_hum(draw, mains, (-20, -6)),
        rolling_noise(draw, (-30, -14)),
    )
    faults = (_valve_leak(draw, opens), _rod_knock(draw), outer_race(draw, BEARING, bearing))
    return Anatomy(drive, Elements(cylinders=cylinders, bearing=bearing, mains_hz=mains), body, sound, faults)


def _valve_leak(draw: Draw, opens: float) -> FaultVoice:
    band = draw.band(VALVE_LEAK, (1.0, 1.8), modes=(2, 4), q=(1.5, 6))
    stroke = Envelope(((0.0, 0.1), (opens, 0.1), (opens + 0.1, 1.0), (opens + 0.4, 0.8), (opens + 0.5, 0.1)))
    hiss = Noise(level_db=draw.uniform(-7, 2), radiation=band, envelope=stroke)
    return FaultVoice(VALVE_LEAK, (band.low_hz, band.high_hz), (hiss,))


def _rod_knock(draw: Draw) -> FaultVoice:
    band = draw.band(ROD_KNOCK, (1.5, 2.5), q=(4, 15))
    blow = Impacts(level_db=draw.uniform(-5, 3), radiation=band, phases=(draw.uniform(0, 1),), spread=0.25)
    return FaultVoice(ROD_KNOCK, (band.low_hz, band.high_hz), (blow,))
