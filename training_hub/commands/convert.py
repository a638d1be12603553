"""`training-hub convert`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training_hub.commands._meaning import add_meaning_arguments, in_file_order, meaning_of

if TYPE_CHECKING:
    from training_hub.training.tflite_bundle import ModelMeaning

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
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="write a bundle with its manifest around the result")
    parser.add_argument("--name", default="converted", help="with --bundle: its name")
    parser.add_argument("--version", default="0.1.0", help="with --bundle: its version")
    parser.add_argument("--licence", default="not stated", help="with --bundle: the model's licence")
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="NPZ",
        help="log_mel_db, anomalous, machine_id: compare float and int8 by AUC, score shift and threshold transfer",
    )
    add_meaning_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Convert, print what it costs, write the model and, where asked, a bundle."""
    from edge_agent.signal.settings import SignalSettings  # noqa: PLC0415  # quick --help
    from training_hub.training import float_int8  # noqa: PLC0415
    from training_hub.training.convert import Conversion, Precision, convert  # noqa: PLC0415
    from training_hub.training.export import BundleName  # noqa: PLC0415
    from training_hub.training.representative import read_representative  # noqa: PLC0415
    from training_hub.training.tflite_bundle import encoder_of, write_tflite_bundle  # noqa: PLC0415

    meaning = meaning_of(arguments)
    name = str(arguments.out)

    def meant(converted: Conversion) -> ModelMeaning:
        return in_file_order(meaning, {deviation.name: deviation.tensor for deviation in converted.deviations})

    inputs = read_representative(arguments.representative)
    conversion = convert(arguments.model, inputs, Precision(arguments.precision))
    print(conversion.describe())
    if arguments.clips is not None:
        clips = float_int8.read_clips(arguments.clips)
        plain = convert(arguments.model, inputs, Precision.FLOAT32)
        by_float, by_int8 = (encoder_of(c.content, meant(c), name=name) for c in (plain, conversion))
        print(float_int8.describe(float_int8.compare(by_float, by_int8, clips, SignalSettings())))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(conversion.content)
    print(arguments.out)
    if arguments.bundle is not None:
        called = BundleName(arguments.name, arguments.version, arguments.model.name, arguments.licence)
        write_tflite_bundle(conversion.content, meant(conversion), arguments.bundle, called, source=name)
        print(arguments.bundle)
    return 0
