"""Simulated machines that differ a little: in what surrounds them, or in themselves.

Machines drawn independently stand in other rooms at other microphones, and a net tells them apart by those. What a
detector must see is smaller: the same machine in the same place, changed; and what it must not see is what changes
around it. Both are drawn here.
"""

from dataclasses import replace

import numpy as np

from edge_agent.simulate import MachineSpec

_SURROUNDINGS_DB = (-9.0, 6.0)
_COMPONENT_DB = 4.0
_CHANGED_SHARE = 0.5
_SHAFT = 0.03
_MODES = 0.03


def retake(spec: MachineSpec, rng: np.random.Generator) -> MachineSpec:
    """The same machine on another day: each of its surroundings is louder or softer, itself it is as ever."""
    surroundings = tuple(
        replace(part, level_db=part.level_db + float(rng.uniform(*_SURROUNDINGS_DB))) for part in spec.surroundings
    )
    return replace(spec, surroundings=surroundings)


def sibling(spec: MachineSpec, rng: np.random.Generator) -> MachineSpec:
    """Another machine of the same make in the same place: parts louder or softer, speed and resonances shifted."""
    changed = rng.random(len(spec.sound)) < _CHANGED_SHARE
    changed[int(rng.integers(len(changed)))] = True
    sound = tuple(
        replace(part, level_db=part.level_db + float(rng.normal(0.0, _COMPONENT_DB))) if is_changed else part
        for part, is_changed in zip(spec.sound, changed, strict=True)
    )
    modes = tuple(
        replace(mode, frequency_hz=mode.frequency_hz * float(np.exp(rng.normal(0.0, _MODES)))) for mode in spec.modes
    )
    shaft_hz = spec.drive.shaft_hz * float(np.exp(rng.normal(0.0, _SHAFT)))
    return replace(spec, sound=sound, modes=modes, drive=replace(spec.drive, shaft_hz=shaft_hz))
