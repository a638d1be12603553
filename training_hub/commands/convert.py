"""`training-hub convert`."""

import argparse
from pathlib import Path

NAME = "convert"
HELP = "convert a Keras model (.keras, .h5, SavedModel) to quantised TFLite and print what that costs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", type=Path, help=".keras or .h5 file, or SavedModel directory")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    parser.add_argument(
        "--representative",
        type=Path,
        required=True,
        help=".npz with an array `inputs` [n, ...] of real inputs (a training run leaves representative.npz)",
    )
    parser.add_argument("--precision", choices=("int8", "float32"), default="int8")


def run(arguments: argparse.Namespace) -> int:
    """Convert, print the deviation, write."""
    from training_hub.training.convert import Precision, convert  # noqa: PLC0415  # quick --help
    from training_hub.training.representative import read_representative  # noqa: PLC0415

    inputs = read_representative(arguments.representative)
    conversion = convert(arguments.model, inputs, Precision(arguments.precision))
    print(conversion.describe())
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(conversion.content)
    print(arguments.out)
    return 0
