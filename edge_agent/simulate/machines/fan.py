"""Axial or centrifugal fan: blade-pass tones over flow noise."""

from __future__ import annotations

from edge_agent.simulate.components import Air, Band, Clock, Modulation, Noise, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import (
    Anatomy,
    flow_noise,
    imbalance,
    mains_hz,
    motor_hum,
    outer_race,
    passing_tones,
    rolling_noise,
    rotating_drive,
    shaft_tones,
)
from edge_agent.simulate.spec import Elements, FaultVoice

IMBALANCE = FaultKind(MachineType.FAN, "imbalance", (8, 300), "dirt on or loss of a balance weight: first shaft orders")
BROKEN_BLADE = FaultKind(
    MachineType.FAN, "broken_blade", (8, 3_000), "blades unlike each other: shaft orders between those of blade pass"
)
BEARING = FaultKind(MachineType.FAN, "bearing_outer_race", (1_500, 7_200), "impulses at BPFO ring the housing")
FAULT_KINDS = (IMBALANCE, BROKEN_BLADE, BEARING)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual fan."""
    drive = rotating_drive(draw, 12, 60, (0.001, 0.01))
    blades, bearing, mains = draw.integer(3, 13), draw.bearing(), mains_hz(draw)
    body = draw.modes(80, 5_000, (5, 12), (5, 60))
    sound = (
        flow_noise(draw, blades, (-6, 0)),
        passing_tones(draw, blades, 7, (-14, 0)),
        shaft_tones(draw, 6, (-22, -8)),
        motor_hum(draw, mains, (-30, -12)),
        rolling_noise(draw, (-36, -20)),
    )
    faults = (
        imbalance(draw, IMBALANCE, drive.shaft_hz),
        _broken_blade(draw, drive.shaft_hz, blades),
        outer_race(draw, BEARING, bearing),
    )
    return Anatomy(drive, Elements(blades=blades, bearing=bearing, mains_hz=mains), body, sound, faults)


def _broken_blade(draw: Draw, shaft_hz: float, blades: int) -> FaultVoice:
    highest = min(3 * blades, int(2_700 / shaft_hz))
    orders = tuple(k for k in range(1, highest + 1) if k % blades)
    low_hz, high_hz = 0.8 * shaft_hz, min((highest + 1) * 1.1 * shaft_hz, BROKEN_BLADE.band_hz[1])
    tones = Tones(
        level_db=draw.uniform(-6, 3),
        radiation=Air(),
        speed_exponent=2.5,
        orders=orders,
        order_levels_db=tuple(-abs(k - blades) * draw.uniform(0.2, 1.5) for k in orders),
    )
    swish = Noise(
        level_db=draw.uniform(-14, -6),
        radiation=Band(low_hz, high_hz),
        speed_exponent=2.5,
        modulation=Modulation(Clock(ratio=1), draw.uniform(0.7, 1.0)),
    )
    return FaultVoice(BROKEN_BLADE, (low_hz, high_hz), (tones, swish))
