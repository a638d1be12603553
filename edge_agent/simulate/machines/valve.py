"""Solenoid valve: a click to open, a burst of gas, flow, a click to close."""

from __future__ import annotations

from edge_agent.simulate.components import Clock, Envelope, Impacts, Noise, Structure, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import Anatomy, cycling_drive, mains_hz
from edge_agent.simulate.spec import Elements, FaultVoice

STICTION = FaultKind(
    MachineType.VALVE, "stiction", (700, 5_500), "the plunger sticks and slips: chatter and scraping after each stroke"
)
LEAK = FaultKind(MachineType.VALVE, "leak", (2_000, 7_400), "the seat does not seal: hiss while closed")
FAULT_KINDS = (STICTION, LEAK)

_OPENS = 0.05


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual valve; the cycle opens it at phase 0.05."""
    drive = cycling_drive(draw, 0.4, 2.5)
    mains = mains_hz(draw)
    closes = draw.uniform(0.35, 0.7)
    fall = draw.uniform(0.04, 0.12)
    held = Envelope(((0.0, 0.0), (_OPENS - 0.005, 0.0), (_OPENS, 1.0), (closes, 1.0), (closes + 0.01, 0.0)))
    burst = Envelope(((0.0, 0.0), (_OPENS, 0.0), (_OPENS + 0.01, 1.0), (_OPENS + fall, 0.35), (_OPENS + 3 * fall, 0.0)))
    body = draw.modes(350, 6_500, (6, 14), (8, 45))
    sound = (
        Impacts(level_db=draw.uniform(-3, 0), radiation=Structure(), phases=(_OPENS, closes), spread=0.12),
        Impacts(
            level_db=draw.uniform(-14, -5),
            radiation=Structure(),
            phases=(_OPENS + draw.uniform(0.004, 0.02), closes + draw.uniform(0.004, 0.02)),
            spread=0.3,
        ),
        Noise(level_db=draw.uniform(-12, -2), radiation=draw.colour(800, 5_000, (3, 9), 3), envelope=burst),
        Noise(level_db=draw.uniform(-20, -8), radiation=draw.colour(400, 3_000, (3, 8), 3), envelope=held),
        Tones(
            level_db=draw.uniform(-30, -14),
            radiation=Structure(),
            speed_exponent=0.5,
            envelope=held,
            clock=Clock(ratio=0.0, fixed_hz=2 * mains),
            orders=(1, 2, 3, 4, 5),
            order_levels_db=draw.falling_db(5, 2, 7, 3),
        ),
    )
    faults = (_stiction(draw, closes), _leak(draw, closes))
    return Anatomy(drive, Elements(mains_hz=mains), body, sound, faults)


def _stiction(draw: Draw, closes: float) -> FaultVoice:
    band = draw.band(STICTION, (1.4, 2.4), q=(8, 25))
    phases = []
    for stroke in (_OPENS, closes):
        phase = stroke
        for _ in range(draw.integer(3, 8)):
            phase += draw.uniform(0.008, 0.03)
            phases.append(phase)
    chatter = Impacts(
        level_db=draw.uniform(-5, 2), radiation=band, phases=tuple(phases), spread=0.5, clock=Clock(slip=0.004)
    )
    length = draw.uniform(0.05, 0.15)
    scraping = Noise(
        level_db=draw.uniform(-12, -4),
        radiation=band,
        envelope=Envelope(((0.0, 0.0), (_OPENS, 0.0), (_OPENS + 0.02, 1.0), (_OPENS + length, 0.0))),
    )
    return FaultVoice(STICTION, (band.low_hz, band.high_hz), (chatter, scraping))


def _leak(draw: Draw, closes: float) -> FaultVoice:
    band = draw.band(LEAK, (1.0, 1.8), modes=(2, 4), q=(1.5, 6))
    closed = Envelope(((0.0, 1.0), (_OPENS, 1.0), (_OPENS + 0.02, 0.1), (closes, 0.1), (closes + 0.03, 1.0)))
    hiss = Noise(level_db=draw.uniform(-8, 2), radiation=band, speed_exponent=0.3, envelope=closed)
    return FaultVoice(LEAK, (band.low_hz, band.high_hz), (hiss,))
