"""Recordings for `tools/newcomer`: a simulated pump as somebody may have recorded it, before and with a fault.

`python -m tools.newcomer_sounds DIR` writes DIR/recordings/normal/*.wav and .../today/*.wav, 44.1 kHz, 16 bit.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from edge_agent.simulate import MachineSimulator, MachineType, fault_kind, random_spec

_RATE_HZ = 44_100
_RECORDING_S = 60
_NORMALS = 10


def main(directory: Path) -> None:
    """Write ten normal recordings, and two of today: one normal, one cavitating."""
    spec = random_spec(MachineType.PUMP, np.random.default_rng(5), "my_pump")
    plan = [(f"normal/{number:02d}", number, 0.0) for number in range(_NORMALS)]
    plan += [("today/morning", 50, 0.0), ("today/evening", 51, 0.9)]
    for name, seed, severity in plan:
        path = directory / "recordings" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        simulator = MachineSimulator(spec, seed, _RATE_HZ)
        fault = fault_kind(MachineType.PUMP, "cavitation") if severity else None
        samples = simulator.render(_RECORDING_S * _RATE_HZ, fault, severity)
        soundfile.write(path, samples, _RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
