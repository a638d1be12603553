"""How soon `edge-agent run` is ready, and how much memory it keeps, with one simulated source.

Usage: python -m benchmarks.speed.startup

Ready is when /readyz says so: the bundle is verified, its self-test passed, and a source delivers. There is no broker,
which is the worse case: the outbox fills. Memory is what is resident once the agent has settled, seconds after its
start; it counts libraries whole that others use too, and so depends on no neighbour. Exits with 3 where a target is
missed: the wall clock of a busy machine, too.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from edge_agent.bench.machine import load
from edge_agent.bench.running import measure_run

READY_TARGET_S = 1.5
MEMORY_TARGET_MB = 90.0
ROUNDS = 3
WINDOWS = 30
EXIT_MISSED = 3
"""A figure below its target, which is not a benchmark that broke."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", default="models/default", metavar="DIR")
    bundle = Path(parser.parse_args().bundle).resolve()
    with tempfile.TemporaryDirectory() as name:
        found = measure_run(Path(name), bundle, ROUNDS, WINDOWS)
    met = found.ready_s < READY_TARGET_S, found.resident_mb < MEMORY_TARGET_MB
    print(
        f"ready after {found.ready_s:.2f} s, {found.ready_processor_s:.2f} s of it processor (median of {ROUNDS}), "
        f"load {load():g}, target {READY_TARGET_S:g}: {_verdict(met[0])}"
    )
    print(
        f"memory {found.resident_mb:.0f} MB resident, {found.memory_mb:.0f} MB proportional after {WINDOWS} windows, "
        f"target {MEMORY_TARGET_MB:g} resident: {_verdict(met[1])}"
    )
    return 0 if all(met) else EXIT_MISSED


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
