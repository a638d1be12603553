"""Prints every figure that the detection must reach, with its target; exit status 1 if any is short.

    python benchmarks/detection/must_show.py --bundle models/default --data DIR [--float-encoder FILE]

Runs the protocols of `training-hub evaluate` that the lines need; with --report it reads a finished report instead.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.errors import BundleError
from training_hub.evaluation.datasets import load_data
from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.report import Report
from training_hub.evaluation.run import Options, evaluate
from training_hub.evaluation.table import target_table

PROTOCOLS = (
    "first_shot", "leave_one_machine_out", "noise", "robustness", "int8_vs_float", "calibration", "identity", "stream",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/default"))
    parser.add_argument("--data", type=Path, default=os.environ.get("MACHINE_SOUND_DATA", "../shared/data"))
    parser.add_argument("--float-encoder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", type=Path, help="a finished report.json")
    arguments = parser.parse_args(argv)
    try:
        report = Report.read(arguments.report) if arguments.report else _evaluate(arguments)
    except (EvaluationError, BundleError) as error:
        print(f"must_show: {error}", file=sys.stderr)
        return 1
    for line in target_table(report.targets):
        print(line)
    short = [line for line in report.targets if line.verdict != "met"]
    print(
        f"{len(report.targets) - len(short)} of {len(report.targets)} met" + (" (a quick run)" if report.quick else "")
    )
    return 1 if short else 0


def _evaluate(arguments: argparse.Namespace) -> Report:
    options = Options(
        protocols=PROTOCOLS, quick=arguments.quick, seed=arguments.seed, float_encoder=arguments.float_encoder
    )
    data = load_data(Path(arguments.data))
    return evaluate(load_bundle(arguments.bundle), data, options, lambda text: print(text, file=sys.stderr, flush=True))


if __name__ == "__main__":
    sys.exit(main())
