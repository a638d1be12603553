"""Brushless motor with a propeller or fan wheel: fast shaft, commutation whine."""

from __future__ import annotations

from edge_agent.simulate.components import Air, Structure, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import (
    Anatomy,
    flow_noise,
    imbalance,
    inner_race,
    passing_tones,
    rolling_noise,
    rotating_drive,
    shaft_tones,
)
from edge_agent.simulate.spec import Elements, FaultVoice

IMBALANCE = FaultKind(
    MachineType.BLDC_MOTOR, "imbalance", (30, 750), "a chipped propeller or bent shaft: first shaft orders"
)
PHASE_FAULT = FaultKind(
    MachineType.BLDC_MOTOR,
    "phase_fault",
    (250, 7_400),
    "one winding weak: torque ripple at twice the electrical frequency",
)
BEARING = FaultKind(MachineType.BLDC_MOTOR, "bearing_inner_race", (1_500, 7_200), "impulses at BPFI ring the housing")
FAULT_KINDS = (IMBALANCE, PHASE_FAULT, BEARING)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual motor."""
    drive = rotating_drive(draw, 40, 160, (0.001, 0.015))
    blades, pole_pairs, bearing = draw.integer(2, 5), draw.integer(4, 11), draw.bearing()
    body = draw.modes(200, 6_500, (5, 12), (8, 60))
    sound = (
        passing_tones(draw, blades, 10, (-4, 0)),
        flow_noise(draw, blades, (-8, 0)),
        shaft_tones(draw, 8, (-16, -4)),
        _commutation(draw, pole_pairs),
        rolling_noise(draw, (-24, -10)),
    )
    faults = (
        imbalance(draw, IMBALANCE, drive.shaft_hz),
        _phase_fault(draw, pole_pairs, drive.shaft_hz),
        inner_race(draw, BEARING, bearing),
    )
    return Anatomy(drive, Elements(blades=blades, pole_pairs=pole_pairs, bearing=bearing), body, sound, faults)


def _commutation(draw: Draw, pole_pairs: int) -> Tones:
    """Six steps an electrical turn ripple the torque.

    J. R. Hendershot and T. J. E. Miller, "Design of Brushless Permanent-Magnet Machines", 2010.
    """
    return Tones(
        level_db=draw.uniform(-18, -4),
        radiation=Structure(),
        speed_exponent=1.0,
        load_sensitivity=0.9,
        orders=(*(6 * pole_pairs * k for k in (1, 2, 3)), pole_pairs, 2 * pole_pairs),
        order_levels_db=(*draw.falling_db(3, 2, 8, 3), draw.uniform(-20, -8), draw.uniform(-20, -8)),
    )


def _phase_fault(draw: Draw, pole_pairs: int, shaft_hz: float) -> FaultVoice:
    electrical_hz = pole_pairs * shaft_hz
    multiples = [m for m in (2, 4, 8, 10) if 1.1 * m * electrical_hz < PHASE_FAULT.band_hz[1]]
    tones = Tones(
        level_db=draw.uniform(-5, 3),
        radiation=Air(),
        speed_exponent=1.0,
        load_sensitivity=0.9,
        orders=tuple(m * pole_pairs for m in multiples),
        order_levels_db=draw.falling_db(len(multiples), 2, 7, 2),
    )
    return FaultVoice(PHASE_FAULT, (1.8 * electrical_hz, 1.1 * multiples[-1] * electrical_hz), (tones,))
