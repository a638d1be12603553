"""Linear slide: to and fro, rolling on recirculating balls, a motor's whine while it moves."""

from __future__ import annotations

from edge_agent.simulate.components import Clock, Envelope, Impacts, Noise, Structure, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import Anatomy, cycling_drive, mains_hz
from edge_agent.simulate.spec import Elements, FaultVoice

NO_LUBRICANT = FaultKind(
    MachineType.SLIDE_RAIL, "no_lubricant", (1_200, 7_000), "dry friction: noise and squeal while it moves"
)
KNOCKING = FaultKind(
    MachineType.SLIDE_RAIL, "knocking", (180, 3_500), "a dent or a loose joint: knocks at fixed places of the travel"
)
FAULT_KINDS = (NO_LUBRICANT, KNOCKING)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual slide: forth in the first half of the cycle, back in the second, dwelling at each end."""
    drive = cycling_drive(draw, 0.2, 1.0)
    ramp = draw.uniform(0.02, 0.08)
    out_end, back_end = draw.uniform(0.3, 0.48), draw.uniform(0.8, 0.97)
    back_speed = draw.uniform(0.6, 1.4)
    moving = Envelope(
        (
            (0.0, 0.0),
            (ramp, 1.0),
            (out_end - ramp, 1.0),
            (out_end, 0.0),
            (0.5, 0.0),
            (0.5 + ramp, back_speed),
            (back_end - ramp, back_speed),
            (back_end, 0.0),
        )
    )
    body = draw.modes(150, 5_500, (6, 14), (6, 40))
    sound = (
        Noise(level_db=draw.uniform(-5, 0), radiation=draw.colour(400, 3_500, (1.5, 9), 5), envelope=moving),
        Impacts(
            level_db=draw.uniform(-12, -4),
            radiation=Structure(),
            clock=Clock(ratio=draw.uniform(40, 220), slip=0.05),
            spread=0.5,
            envelope=moving,
        ),
        Tones(
            level_db=draw.uniform(-16, -3),
            radiation=Structure(),
            clock=Clock(ratio=draw.uniform(90, 700) / drive.shaft_hz),
            orders=(1, 2, 3, 4, 5, 6),
            order_levels_db=draw.falling_db(6, 1, 6, 4),
            envelope=moving,
        ),
        Impacts(level_db=draw.uniform(-14, -5), radiation=Structure(), phases=(out_end, back_end), spread=0.2),
    )
    faults = (_no_lubricant(draw, moving), _knocking(draw, out_end, back_end))
    return Anatomy(drive, Elements(mains_hz=mains_hz(draw)), body, sound, faults)


def _no_lubricant(draw: Draw, moving: Envelope) -> FaultVoice:
    band = draw.band(NO_LUBRICANT, (1.2, 2.0), modes=(2, 5), q=(5, 60))
    friction = Noise(level_db=draw.uniform(-4, 3), radiation=band, envelope=moving, wander_db=1.0)
    slips = Impacts(
        level_db=draw.uniform(-10, -2),
        radiation=band,
        clock=Clock(ratio=draw.uniform(60, 300) / 0.5, slip=0.2),
        spread=0.5,
        envelope=moving,
    )
    return FaultVoice(NO_LUBRICANT, (band.low_hz, band.high_hz), (friction, slips))


def _knocking(draw: Draw, out_end: float, back_end: float) -> FaultVoice:
    band = draw.band(KNOCKING, (1.5, 2.5), q=(6, 20))
    count = draw.integer(1, 4)
    phases = [draw.uniform(0.05, out_end) for _ in range(count)] + [draw.uniform(0.55, back_end) for _ in range(count)]
    knocks = Impacts(level_db=draw.uniform(-3, 4), radiation=band, phases=tuple(phases), spread=0.35)
    return FaultVoice(KNOCKING, (band.low_hz, band.high_hz), (knocks,))
