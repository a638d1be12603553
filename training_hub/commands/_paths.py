"""Arguments that several commands share."""

import argparse
import os
from pathlib import Path

DATA_VARIABLE = "MACHINE_SOUND_DATA"


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """`--data` and `--cache`."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"directory with a manifest.csv of recordings (default: ${DATA_VARIABLE}; none: simulated machines alone)",
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache/training"), help="where features are kept")
