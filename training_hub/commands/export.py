"""`training-hub export`."""

import argparse
from pathlib import Path

from training_hub.commands._paths import add_data_arguments

NAME = "export"
HELP = "turn a finished training run into a bundle: int8 model, manifest, self-test, model card"

_DESCRIPTION = "Encoder of machine sound: a depthwise-separable net, int8, trained to tell machines apart."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--run", dest="run_dir", type=Path, required=True, help="directory of a finished training run")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's directory")
    parser.add_argument("--name", default="default")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--description", default=_DESCRIPTION)
    parser.add_argument("--types-from", type=Path, help="a bundle whose machine types are taken over")
    parser.add_argument("--replace", action="store_true", help="replace an existing bundle")
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export and print what was measured."""
    from training_hub.training.dataset import Mix, load_recordings  # noqa: PLC0415  # quick --help
    from training_hub.training.export import BundleName, export_bundle  # noqa: PLC0415
    from training_hub.training.feature_cache import FeatureCache  # noqa: PLC0415
    from training_hub.training.run_record import RunRecord  # noqa: PLC0415
    from training_hub.training.simulated import SimulationPlan  # noqa: PLC0415
    from training_hub.training.splits import split  # noqa: PLC0415

    mix = Mix(RunRecord.read(arguments.run_dir).mix)
    recordings = load_recordings(mix, FeatureCache(arguments.cache), data=arguments.data, plan=SimulationPlan())
    bundle = export_bundle(
        arguments.run_dir,
        arguments.out,
        BundleName(arguments.name, arguments.version, arguments.description),
        split(recordings)[1],
        types_from=arguments.types_from,
        replace=arguments.replace,
    )
    for result in bundle.manifest.results:
        print(f"{result.name}: {result.value:g} {result.unit} ({result.on})")
    print(f"{arguments.out}: {bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.sha256}")
    return 0
