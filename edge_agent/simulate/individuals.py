"""Draws individuals: every one another machine, in another room, at another microphone, amid other noise."""

from __future__ import annotations

import re

import numpy as np

from edge_agent.simulate.components import Air, AnyComponent, Clock, Noise, RandomImpacts, Reverberant, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType, SimulationError
from edge_agent.simulate.machines import bldc_motor, compressor, fan, gearbox, pump, slide_rail, valve
from edge_agent.simulate.spec import MachineSpec, Microphone, Room

_MODELS = {
    MachineType.FAN: (fan.FAULT_KINDS, fan.draw_anatomy),
    MachineType.PUMP: (pump.FAULT_KINDS, pump.draw_anatomy),
    MachineType.VALVE: (valve.FAULT_KINDS, valve.draw_anatomy),
    MachineType.SLIDE_RAIL: (slide_rail.FAULT_KINDS, slide_rail.draw_anatomy),
    MachineType.GEARBOX: (gearbox.FAULT_KINDS, gearbox.draw_anatomy),
    MachineType.BLDC_MOTOR: (bldc_motor.FAULT_KINDS, bldc_motor.draw_anatomy),
    MachineType.COMPRESSOR: (compressor.FAULT_KINDS, compressor.draw_anatomy),
}
_IMPULSIVE = (MachineType.VALVE, MachineType.SLIDE_RAIL, MachineType.COMPRESSOR)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def fault_kinds(machine_type: MachineType) -> tuple[FaultKind, ...]:
    """The ways in which machines of a type can fail.

    Example:
        >>> [kind.name for kind in fault_kinds(MachineType.FAN)]
        ['imbalance', 'broken_blade', 'bearing_outer_race']
    """
    return _MODELS[machine_type][0]


def fault_kind(machine_type: MachineType, name: str) -> FaultKind:
    """The fault kind of that name; `SimulationError` where the type has none."""
    for kind in fault_kinds(machine_type):
        if kind.name == name:
            return kind
    known = ", ".join(kind.name for kind in fault_kinds(machine_type))
    msg = f"a {machine_type} has no fault {name!r}; it has: {known}"
    raise SimulationError(msg)


def random_spec(machine_type: MachineType, rng: np.random.Generator, machine_id: str | None = None) -> MachineSpec:
    """Draw an individual of a type.

    Args:
        machine_type: The type.
        rng: Decides everything; the same state gives the same machine.
        machine_id: Its name; drawn where None.

    Raises:
        SimulationError: A name that is no machine id.
    """
    draw = Draw(rng)
    drawn_id = f"{machine_type}_{draw.seed():08x}"
    machine_id = drawn_id if machine_id is None else machine_id
    if not _ID.fullmatch(machine_id):
        msg = f"machine id {machine_id!r} does not match {_ID.pattern}; choose another name"
        raise SimulationError(msg)
    anatomy = _MODELS[machine_type][1](draw)
    return MachineSpec(
        machine_type=machine_type,
        id=machine_id,
        drive=anatomy.drive,
        elements=anatomy.elements,
        modes=anatomy.modes,
        sound=anatomy.sound,
        faults=anatomy.faults,
        room=_room(draw),
        microphone=_microphone(draw, impulsive=machine_type in _IMPULSIVE),
        surroundings=_surroundings(draw, anatomy.elements.mains_hz),
    )


def _room(draw: Draw) -> Room:
    delays_s = sorted(draw.log_uniform(0.0008, 0.04) for _ in range(draw.integer(3, 8)))
    reflections = tuple((delay, draw.uniform(0.15, 0.8) * (0.0008 / delay) ** 0.3) for delay in delays_s)
    return Room(reflections, draw.log_uniform(0.12, 1.2), draw.uniform(-20, 0), draw.seed())


def _microphone(draw: Draw, *, impulsive: bool) -> Microphone:
    bumps = [
        (draw.log_uniform(100, 7_000), draw.uniform(-9, 9), draw.uniform(0.1, 0.8)) for _ in range(draw.integer(0, 4))
    ]
    return Microphone(
        level_dbfs=draw.uniform(-42, -28) if impulsive else draw.uniform(-40, -18),
        low_cut_hz=draw.log_uniform(12, 90),
        tilt_db_per_octave=draw.uniform(-2.5, 2),
        bumps=tuple(bumps),
        noise_dbfs=draw.uniform(-92, -72),
    )


def _surroundings(draw: Draw, mains_hz: float) -> tuple[AnyComponent, ...]:
    """A hall: rumble and air, mains hum, another machine far off, clanks."""
    level_db = draw.uniform(-32, -8)
    parts: list[AnyComponent] = [
        Noise(
            level_db=level_db,
            radiation=draw.colour(50, 1_200, (1.5, 7), 4),
            speed_exponent=0.0,
            load_sensitivity=0.0,
            wander_db=draw.uniform(0.3, 2.0),
        )
    ]
    if draw.chance(0.6):
        parts.append(
            _steady_tones(draw, 2 * mains_hz if draw.chance(0.5) else mains_hz, 8, level_db + draw.uniform(-12, -2))
        )
    if draw.chance(0.5):
        parts.append(_steady_tones(draw, draw.log_uniform(30, 400), 12, level_db + draw.uniform(-10, 0)))
    if draw.chance(0.5):
        clanks = RandomImpacts(
            level_db=level_db + draw.uniform(-12, -2),
            radiation=Reverberant(draw.log_uniform(0.1, 0.8), draw.colour(500, 3_000, (4, 9), 4), draw.seed()),
            speed_exponent=0.0,
            load_sensitivity=0.0,
            rate_hz=draw.log_uniform(0.05, 1.5),
        )
        parts.append(clanks)
    return tuple(parts)


def _steady_tones(draw: Draw, frequency_hz: float, count: int, level_db: float) -> Tones:
    return Tones(
        level_db=level_db,
        radiation=Air(),
        speed_exponent=0.0,
        load_sensitivity=0.0,
        wander_db=draw.uniform(0.1, 1.0),
        clock=Clock(ratio=0.0, fixed_hz=frequency_hz),
        orders=tuple(range(1, count + 1)),
        order_levels_db=draw.falling_db(count, 1, 6, 5),
    )
