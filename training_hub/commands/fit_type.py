"""`training-hub fit-type`."""

import argparse
from pathlib import Path

NAME = "fit-type"
HELP = "fit a machine type on normal sound of several machines, into a copy of a bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("type", metavar="TYPE", help="its name; 'generic' fits what all types have in common")
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="manifest.csv files, or .npz files with log_mel_db, machine_id, anomalous; only normal clips are used",
    )
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the bundle to copy")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new bundle; may be --bundle itself")


def run(arguments: argparse.Namespace) -> int:
    """Fit, write, and print what is in the bundle now."""
    from training_hub.training.fit_type import fit_type  # noqa: PLC0415  # quick --help

    manifest = fit_type(arguments.type, arguments.sources, arguments.bundle, arguments.out)
    print(f"{arguments.out}: {manifest.name} {manifest.version} knows {', '.join(sorted(manifest.machine_types))}")
    return 0
