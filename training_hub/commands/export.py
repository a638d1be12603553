"""`training-hub export`."""

import argparse
from pathlib import Path

from training_hub.commands._meaning import add_meaning_arguments, meaning_of
from training_hub.commands._paths import add_data_arguments

NAME = "export"
HELP = "turn a finished training run, or any .tflite model, into a bundle"

_DESCRIPTION = "Encoder of machine sound: a depthwise-separable net, int8, trained to tell machines apart."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", dest="run_dir", type=Path, help="directory of a finished training run")
    source.add_argument("--tflite", type=Path, metavar="FILE", help="a model from elsewhere, taken as it is")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--name", default="default")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--description")
    parser.add_argument("--types-from", type=Path, help="a bundle whose machine types are taken over")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="Markdown for the end of the model card")
    parser.add_argument("--replace", action="store_true", help="replace an existing bundle")
    parser.add_argument("--licence", default="not stated", help="with --tflite: the model's licence")
    add_data_arguments(parser)
    add_meaning_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export and say what came of it."""
    return _export_tflite(arguments) if arguments.tflite else _export_run(arguments)


def _export_tflite(arguments: argparse.Namespace) -> int:
    from training_hub.training.errors import TrainingError  # noqa: PLC0415  # quick --help
    from training_hub.training.export import BundleName  # noqa: PLC0415
    from training_hub.training.tflite_bundle import write_tflite_bundle  # noqa: PLC0415

    meaning = meaning_of(arguments)
    path = arguments.tflite
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; give a .tflite file") from error
    called = BundleName(arguments.name, arguments.version, arguments.description or path.name, arguments.licence)
    bundle = write_tflite_bundle(content, meaning, arguments.out, called, source=str(path))
    print(f"{arguments.out}: {bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.sha256}")
    return 0


def _export_run(arguments: argparse.Namespace) -> int:
    from training_hub.training.dataset import Mix, load_recordings  # noqa: PLC0415  # quick --help
    from training_hub.training.export import BundleName, export_bundle  # noqa: PLC0415
    from training_hub.training.feature_cache import FeatureCache  # noqa: PLC0415
    from training_hub.training.run_record import RunRecord  # noqa: PLC0415
    from training_hub.training.simulated import SimulationPlan  # noqa: PLC0415
    from training_hub.training.splits import split  # noqa: PLC0415

    record = RunRecord.read(arguments.run_dir)
    cache = FeatureCache(arguments.cache)
    recordings = load_recordings(
        Mix(record.mix), cache, data=arguments.data, plan=SimulationPlan(), unseen_types=record.unseen_types
    )
    bundle = export_bundle(
        arguments.run_dir,
        arguments.out,
        BundleName(arguments.name, arguments.version, arguments.description or _DESCRIPTION),
        split(recordings)[1],
        cache=cache,
        types_from=arguments.types_from,
        notes=_read_notes(arguments.notes),
        replace=arguments.replace,
    )
    for result in bundle.manifest.results:
        print(f"{result.name}: {result.value:g} {result.unit} ({result.on})")
    print(f"{arguments.out}: {bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.sha256}")
    return 0


def _read_notes(path: Path | None) -> str:
    from training_hub.training.errors import TrainingError  # noqa: PLC0415  # quick --help

    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: {error}; give a Markdown file") from error
