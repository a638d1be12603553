"""`training-hub calibrate-identity`."""

import argparse
from pathlib import Path

from training_hub.commands._paths import add_data_arguments

NAME = "calibrate-identity"
HELP = "calibrate a bundle's identities, and when they are `unknown`, on held-out recordings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the bundle to copy")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new bundle; may be --bundle itself")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate, write, and print the rates before and after."""
    from training_hub.training.errors import TrainingError  # noqa: PLC0415  # quick --help
    from training_hub.training.feature_cache import FeatureCache  # noqa: PLC0415
    from training_hub.training.identity import calibrate_identity  # noqa: PLC0415

    if arguments.data is None:
        raise TrainingError("no recordings to calibrate on; give --data DIR")
    _, before, after = calibrate_identity(
        arguments.bundle, Path(arguments.data), arguments.out, FeatureCache(arguments.cache)
    )
    for word, found in (("before", before), ("after", after)):
        print(
            f"{word}: type recall {found.recall:.3f} of {found.known_count}, "
            f"unknown {found.unknown:.3f} of {found.unknown_count}"
        )
    return 0
