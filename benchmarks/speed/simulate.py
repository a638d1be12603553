"""How fast machines are simulated: times real time on one core, everything included.

    python benchmarks/speed/simulate.py [--seconds 60] [--rate-hz 16000]

"10-s clips" draws a new machine for each clip, builds its simulator and renders it with a fault: what training does.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from edge_agent.simulate import MachineSimulator, MachineType, fault_kinds, random_spec


def steady_speed(machine_type: MachineType, seconds: int, rate_hz: int, *, faulty: bool) -> float:
    simulator = MachineSimulator(random_spec(machine_type, np.random.default_rng(0)), 0, rate_hz)
    fault = fault_kinds(machine_type)[0] if faulty else None
    simulator.render(rate_hz, fault, 0.5)
    started_s = time.perf_counter()
    for _ in range(seconds):
        simulator.render(rate_hz, fault, 0.5)
    return seconds / (time.perf_counter() - started_s)


def clip_speed(machine_type: MachineType, seconds: int, rate_hz: int) -> float:
    rng = np.random.default_rng(1)
    clips = max(1, seconds // 10)
    kinds = fault_kinds(machine_type)
    started_s = time.perf_counter()
    for clip in range(clips):
        MachineSimulator(random_spec(machine_type, rng), clip, rate_hz).render(
            10 * rate_hz, kinds[clip % len(kinds)], 0.5
        )
    return 10 * clips / (time.perf_counter() - started_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="seconds of sound for each figure")
    parser.add_argument("--rate-hz", type=int, default=16_000)
    arguments = parser.parse_args()
    print(f"times real time at {arguments.rate_hz} Hz, one core")
    print(f"{'machine':<12}{'healthy':>10}{'faulty':>10}{'10-s clips':>12}")
    for machine_type in MachineType:
        healthy = steady_speed(machine_type, arguments.seconds, arguments.rate_hz, faulty=False)
        faulty = steady_speed(machine_type, arguments.seconds, arguments.rate_hz, faulty=True)
        clips = clip_speed(machine_type, arguments.seconds, arguments.rate_hz)
        print(f"{machine_type:<12}{healthy:>9.0f}x{faulty:>9.0f}x{clips:>11.0f}x")


if __name__ == "__main__":
    main()
