"""`training-hub evaluate`."""

import argparse
import os
import sys
from pathlib import Path

from training_hub.commands._paths import DATA_VARIABLE

NAME = "evaluate"
HELP = "evaluate a bundle on recordings beside the usual methods; writes report.json and report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--bundle", type=Path, required=True, help="directory of the bundle")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"directory with a manifest.csv of recordings, or .npz files of log-mel clips (default: ${DATA_VARIABLE})",
    )
    parser.add_argument("--out", type=Path, required=True, help="directory for the report")
    parser.add_argument(
        "--protocol", action="append", default=[], metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--baseline", action="append", metavar="NAME", help="only this one beside the agent; may be repeated"
    )
    parser.add_argument("--no-baselines", action="store_true", help="the agent alone")
    parser.add_argument("--draws", type=int, metavar="N", help="draws of commissioning clips (default: 10)")
    parser.add_argument("--hours", type=float, metavar="H", help="length of the stream per machine (default: 24)")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep what each protocol finds, and take up what was found before"
    )
    parser.add_argument("--quick", action="store_true", help="fewer draws, clips and hours: not to be quoted")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, choices=(1,), help="1: results must not depend on timing")
    parser.add_argument("--peer", type=Path, help="MLPerf Tiny's int8 autoencoder, to run beside")
    parser.add_argument("--float-encoder", type=Path, help="float .tflite that the bundle's encoder was quantised from")
    parser.add_argument("--notes", type=Path, help="text file: what was tried; goes into the report")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, write the report."""
    from training_hub.evaluation.errors import EvaluationError  # noqa: PLC0415  # quick --help

    try:
        return _run(arguments)
    except EvaluationError as error:
        print(f"training-hub: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.inference.bundle import load_bundle  # noqa: PLC0415  # quick --help
    from training_hub.evaluation.datasets import load_data  # noqa: PLC0415
    from training_hub.evaluation.errors import EvaluationError  # noqa: PLC0415
    from training_hub.evaluation.page import write_page  # noqa: PLC0415
    from training_hub.evaluation.run import Options, evaluate  # noqa: PLC0415
    from training_hub.evaluation.table import print_report  # noqa: PLC0415

    if arguments.data is None:
        raise EvaluationError(f"no recordings: give --data or set {DATA_VARIABLE}")
    options = Options(
        protocols=tuple(arguments.protocol),
        quick=arguments.quick,
        draws=arguments.draws,
        hours=arguments.hours,
        baselines=() if arguments.no_baselines else arguments.baseline and tuple(arguments.baseline),
        cache=arguments.cache,
        seed=arguments.seed,
        peer=arguments.peer,
        float_encoder=arguments.float_encoder,
        notes=_text(arguments.notes),
    )
    data = load_data(Path(arguments.data))
    bundle = load_bundle(arguments.bundle)
    report = evaluate(bundle, data, options, lambda text: print(text, file=sys.stderr, flush=True))
    arguments.out.mkdir(parents=True, exist_ok=True)
    print_report(report, sys.stdout)
    print(report.write(arguments.out))
    print(write_page(report, arguments.out))
    return 0


def _text(path: Path | None) -> str:
    from training_hub.evaluation.errors import EvaluationError  # noqa: PLC0415  # quick --help

    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: {error}; give a text file") from error
