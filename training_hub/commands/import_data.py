"""`training-hub import-data`."""

import argparse
from pathlib import Path

from training_hub.commands._settings import add_settings_arguments, settings_of

NAME = "import-data"
HELP = "catalogue recordings of a directory (manifest.csv, .npz of log-mel clips) to learn from and to judge by"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory with a manifest.csv or .npz files")
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import, and print what was added."""
    import os  # noqa: PLC0415  # quick --help
    import sys  # noqa: PLC0415

    from training_hub.catalogue.labelling import Deed  # noqa: PLC0415
    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.catalogue.types import utc_now  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415
    from training_hub.retrain.directory import read_directory  # noqa: PLC0415
    from training_hub.retrain.import_data import import_data  # noqa: PLC0415

    with open_parts(settings_of(arguments), os.environ) as parts:
        migrate(parts.database)
        imported = import_data(parts, read_directory(arguments.directory), Deed(actor="hub", at=utc_now()))
    for name, why in imported.flawed.items():
        print(f"training-hub: left out {name}: {why}", file=sys.stderr)
    words = ", ".join(f"{count} {dataset}" for dataset, count in sorted(imported.added.items())) or "nothing"
    print(f"added {words}; {imported.known} were known, {len(imported.flawed)} left out")
    return 1 if imported.flawed and not imported.added and not imported.known else 0
