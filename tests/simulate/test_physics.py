"""Lines and bands where physics puts them, measured on the samples."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineType, fault_kind

from .measure import ALL_FAULTS, RATE_HZ, band_power, fault_alone, power_spectrum, spec_of, steady


def prominence_db(samples: npt.NDArray[np.floating], frequency_hz: float) -> float:
    """Peak within 0.5 % of a frequency over the median of its surroundings."""
    frequencies_hz, power = power_spectrum(samples)
    detune = np.abs(frequencies_hz / frequency_hz - 1)
    return 10 * float(np.log10(power[detune < 0.005].max() / np.median(power[(detune > 0.01) & (detune < 0.2)])))


def tonal(spec: MachineSpec) -> MachineSpec:
    """The same machine alone, at constant speed."""
    return steady(replace(spec, surroundings=()))


@pytest.mark.parametrize("seed", range(4))
def test_fan_has_a_line_at_blade_pass(seed: int) -> None:
    spec = tonal(spec_of(MachineType.FAN, seed))
    samples = MachineSimulator(spec, 0).render(8 * RATE_HZ)
    assert prominence_db(samples, spec.elements.blades * spec.drive.shaft_hz) > 15


@pytest.mark.parametrize("seed", range(4))
def test_gearbox_has_a_line_at_the_mesh_and_a_cracked_tooth_adds_sidebands(seed: int) -> None:
    spec = tonal(spec_of(MachineType.GEARBOX, seed))
    shaft_hz, teeth = spec.drive.shaft_hz, spec.elements.teeth[0]
    assert prominence_db(MachineSimulator(spec, 0).render(8 * RATE_HZ), teeth * shaft_hz) > 15
    crack = fault_alone(spec, fault_kind(MachineType.GEARBOX, "tooth_crack"), seconds=8)
    for side in (-3, -2, -1, 1, 2, 3):
        assert prominence_db(crack, (teeth + side) * shaft_hz) > 10


@pytest.mark.parametrize(
    ("machine_type", "fault", "order"),
    [
        (MachineType.FAN, "bearing_outer_race", "outer_race_order"),
        (MachineType.PUMP, "bearing_outer_race", "outer_race_order"),
        (MachineType.COMPRESSOR, "bearing_outer_race", "outer_race_order"),
        (MachineType.GEARBOX, "bearing_inner_race", "inner_race_order"),
        (MachineType.BLDC_MOTOR, "bearing_inner_race", "inner_race_order"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_envelope_of_a_bearing_fault_beats_at_its_defect_frequency(
    machine_type: MachineType, fault: str, order: str, seed: int
) -> None:
    spec = steady(spec_of(machine_type, seed))
    envelope = np.square(fault_alone(spec, fault_kind(machine_type, fault)))
    frequencies_hz, power = power_spectrum(envelope - envelope.mean())
    bearing = spec.elements.bearing
    assert bearing is not None
    expected_hz = getattr(bearing, order) * spec.drive.shaft_hz
    # slip widens the line by about 1 %
    width = int(0.01 * expected_hz / frequencies_hz[1])
    smooth = np.convolve(power, np.ones(width) / width, "same")
    near = (frequencies_hz > 0.6 * expected_hz) & (frequencies_hz < 1.4 * expected_hz)
    assert frequencies_hz[near][np.argmax(smooth[near])] == pytest.approx(expected_hz, rel=0.02)
    assert smooth[near].max() > 5 * np.median(power[near])


@pytest.mark.parametrize("kind", ALL_FAULTS, ids=lambda kind: kind.key)
@pytest.mark.parametrize("seed", range(3))
def test_a_fault_sounds_in_its_band(kind: FaultKind, seed: int) -> None:
    spec = steady(spec_of(kind.machine_type, seed))
    added = fault_alone(spec, kind, seconds=4)
    assert band_power(added, spec.fault_band_hz(kind)) > 0.97 * band_power(added, (0, RATE_HZ / 2))


@pytest.mark.parametrize("kind", ALL_FAULTS, ids=lambda kind: kind.key)
def test_the_worse_the_louder_in_the_band(kind: FaultKind) -> None:
    spec = steady(spec_of(kind.machine_type, 7))
    band_hz = spec.fault_band_hz(kind)
    powers = [
        band_power(MachineSimulator(spec, 0).render(2 * RATE_HZ, kind, severity), band_hz)
        for severity in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert all(less < more for less, more in pairwise(powers)), powers
    assert powers[-1] > 1.1 * powers[0]
