"""One-stage gearbox: gear-mesh tones with the sidebands of both shafts."""

from __future__ import annotations

from edge_agent.simulate.components import Air, Band, Clock, Impacts, Noise, Structure, Tones
from edge_agent.simulate.draw import Draw
from edge_agent.simulate.kinds import FaultKind, MachineType
from edge_agent.simulate.machines.parts import (
    Anatomy,
    inner_race,
    mains_hz,
    motor_hum,
    rolling_noise,
    rotating_drive,
    shaft_tones,
)
from edge_agent.simulate.spec import Elements, FaultVoice

TOOTH_CRACK = FaultKind(
    MachineType.GEARBOX,
    "tooth_crack",
    (60, 6_500),
    "one tooth gives way: sidebands of the mesh a shaft turn apart and an impulse each turn",
)
WEAR = FaultKind(MachineType.GEARBOX, "wear", (100, 7_400), "tooth profiles worn: higher mesh harmonics and noise")
BEARING = FaultKind(MachineType.GEARBOX, "bearing_inner_race", (1_500, 7_200), "impulses at BPFI ring the housing")
FAULT_KINDS = (TOOTH_CRACK, WEAR, BEARING)


def draw_anatomy(draw: Draw) -> Anatomy:
    """An individual gearbox."""
    drive = rotating_drive(draw, 8, 30, (0.0005, 0.008))
    teeth = (draw.integer(15, 41), draw.integer(23, 89))
    bearing, mains = draw.bearing(), mains_hz(draw)
    body = draw.modes(200, 5_500, (7, 16), (8, 60))
    sound = (
        _mesh(draw, teeth[0], 1.0, (-2, 0)),
        _mesh(draw, teeth[1], teeth[0] / teeth[1], (-14, -3)),
        shaft_tones(draw, 5, (-24, -10)),
        motor_hum(draw, mains, (-26, -8)),
        rolling_noise(draw, (-20, -8)),
        Noise(level_db=draw.uniform(-14, -4), radiation=draw.colour(150, 3_000, (1.5, 8), 4.5), speed_exponent=1.5),
    )
    mesh_hz = teeth[0] * drive.shaft_hz
    faults = (
        _tooth_crack(draw, drive.shaft_hz, teeth[0]),
        _wear(draw, teeth[0], mesh_hz),
        inner_race(draw, BEARING, bearing),
    )
    return Anatomy(drive, Elements(teeth=teeth, bearing=bearing, mains_hz=mains), body, sound, faults)


def _mesh(draw: Draw, teeth: int, ratio: float, level_db: tuple[float, float]) -> Tones:
    """Harmonics of teeth times shaft speed, each amid lines a shaft turn apart.

    Pitch and mounting errors modulate the mesh once a turn (P. D. McFadden, "Detecting fatigue cracks in gears by
    amplitude and phase demodulation of the meshing vibration", Journal of Vibration and Acoustics 108, 1986).
    """
    lines: dict[int, float] = {}
    for k, level in enumerate(draw.falling_db(5, 3, 9, 3)):
        lines[teeth * (k + 1)] = level
        for side in (-2, -1, 1, 2):
            lines.setdefault(teeth * (k + 1) + side, level - draw.uniform(8, 14) * abs(side))
    return Tones(
        level_db=draw.uniform(*level_db),
        radiation=Structure(),
        load_sensitivity=0.8,
        speed_exponent=1.5,
        clock=Clock(ratio=ratio),
        orders=tuple(lines),
        order_levels_db=tuple(lines.values()),
    )


def _tooth_crack(draw: Draw, shaft_hz: float, teeth: int) -> FaultVoice:
    lines = {
        teeth * k + side: -6.0 * (k - 1) - draw.uniform(0.8, 2.0) * abs(side)
        for k in (1, 2, 3)
        for side in range(-6, 7)
        if side
    }
    sidebands = Tones(
        level_db=draw.uniform(-5, 2),
        radiation=Air(),
        load_sensitivity=0.8,
        orders=tuple(lines),
        order_levels_db=tuple(lines.values()),
    )
    high_hz = min(3.6 * teeth * shaft_hz + 2_000, TOOTH_CRACK.band_hz[1])
    low_hz = 0.85 * (teeth - 6) * shaft_hz
    band = Band(max(low_hz, high_hz / 6), high_hz, draw.modes(high_hz / 4, high_hz / 1.5, (2, 4), (6, 25)))
    impulse = Impacts(level_db=draw.uniform(-8, 0), radiation=band, spread=0.15, load_sensitivity=0.8)
    return FaultVoice(TOOTH_CRACK, (low_hz, high_hz), (sidebands, impulse))


def _wear(draw: Draw, teeth: int, mesh_hz: float) -> FaultVoice:
    harmonics = [k for k in range(2, 9) if k * mesh_hz < 0.85 * WEAR.band_hz[1]]
    tones = Tones(
        level_db=draw.uniform(-4, 2),
        radiation=Air(),
        load_sensitivity=0.8,
        orders=tuple(teeth * k for k in harmonics),
        order_levels_db=draw.falling_db(len(harmonics), 1, 4, 3),
    )
    low_hz = 1.6 * mesh_hz
    noise = Noise(level_db=draw.uniform(-10, -4), radiation=Band(low_hz, WEAR.band_hz[1]), load_sensitivity=0.8)
    return FaultVoice(WEAR, (low_hz, WEAR.band_hz[1]), (tones, noise))
