from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineType, fault_kinds, random_spec

ALL_FAULTS = [kind for machine_type in MachineType for kind in fault_kinds(machine_type)]
RATE_HZ = 16_000


def spec_of(machine_type: MachineType, seed: int) -> MachineSpec:
    return random_spec(machine_type, np.random.default_rng(seed))


def steady(spec: MachineSpec) -> MachineSpec:
    """The same machine at a constant speed and load, and so quiet that nothing is ever limited."""
    drive = replace(spec.drive, fluctuation=1e-5, load_slip=0.0, loads=(1.0,))
    return replace(spec, drive=drive, microphone=replace(spec.microphone, level_dbfs=-50.0))


def fault_alone(spec: MachineSpec, kind: FaultKind, severity: float = 1.0, seconds: int = 8) -> npt.NDArray[np.float64]:
    """What a fault adds to a machine."""
    count = seconds * RATE_HZ
    faulty = MachineSimulator(spec, seed=3).render(count, kind, severity).astype(np.float64)
    return faulty - MachineSimulator(spec, seed=3).render(count)


def power_spectrum(samples: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    windowed = samples * np.hanning(len(samples))
    return np.fft.rfftfreq(len(samples), 1 / RATE_HZ), np.abs(np.fft.rfft(windowed)) ** 2


def band_power(samples: npt.NDArray[np.floating], band_hz: tuple[float, float]) -> float:
    frequencies_hz, power = power_spectrum(samples)
    return float(power[(frequencies_hz >= band_hz[0]) & (frequencies_hz <= band_hz[1])].sum())


def level_dbfs(samples: npt.NDArray[np.floating]) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64))))
