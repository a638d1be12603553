"""Arguments that say what a model's tensors mean; shared by the commands that write a bundle around a model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training_hub.training.tflite_bundle import ModelMeaning


def add_meaning_arguments(parser: argparse.ArgumentParser) -> None:
    """`--layout`, `--frames`, `--semantics` and what goes with them."""
    group = parser.add_argument_group("what the model's tensors mean (see docs/bring-your-own.md)")
    group.add_argument(
        "--layout",
        choices=("stacked_frames", "patch"),
        default="stacked_frames",
        help="input: every run of FRAMES frames as one vector (default), or one patch of 64 frames",
    )
    group.add_argument("--frames", type=int, default=5, help="frames in one input (default: 5)")
    group.add_argument("--order", choices=("frames_bands", "bands_frames"), default="frames_bands")
    group.add_argument("--remove-level", action="store_true", help="subtract the mean level: gain then changes nothing")
    group.add_argument("--mean-db", type=float, default=0.0, help="subtracted from every band (default: 0)")
    group.add_argument("--std-db", type=float, default=1.0, help="every value is divided by it (default: 1)")
    group.add_argument(
        "--semantics",
        nargs="+",
        default=["reconstruction"],
        choices=("reconstruction", "embedding", "logits", "-"),
        help="meaning of each output, in the file's order; - leaves one alone (default: reconstruction)",
    )
    group.add_argument("--labels", nargs="+", default=[], metavar="MACHINE:TYPE", help="what each logit stands for")
    group.add_argument("--reduction", choices=("mean", "max"), default="mean", help="from vectors to a window")


def meaning_of(arguments: argparse.Namespace) -> ModelMeaning:
    """What was said of the model.

    Raises:
        TrainingError: Values that no manifest may hold.
    """
    from pydantic import ValidationError  # noqa: PLC0415  # quick --help

    from edge_agent.inference.manifest import InputSpec  # noqa: PLC0415
    from training_hub.training.errors import TrainingError  # noqa: PLC0415
    from training_hub.training.tflite_bundle import ModelMeaning, parse_labels  # noqa: PLC0415

    try:
        spec = InputSpec(
            layout=arguments.layout,
            frames=arguments.frames,
            order=arguments.order,
            remove_level=arguments.remove_level,
            mean_db=arguments.mean_db,
            std_db=arguments.std_db,
        )
        labels = parse_labels(arguments.labels)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TrainingError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    return ModelMeaning(spec, tuple(arguments.semantics), labels, arguments.reduction)


def in_file_order(meaning: ModelMeaning, tensors: dict[str, int]) -> ModelMeaning:
    """The same with its semantics in the order of the converted file.

    Outputs that are called after what they mean are found by their names, in whatever order they were said; others
    are taken in the order of the original's outputs. (A SavedModel forgets the order that its author gave.)

    Args:
        meaning: What was said.
        tensors: For each output of the original, in its order, where it came to stand.

    Raises:
        TrainingError: There are more or fewer outputs than were named.
    """
    from training_hub.training.errors import TrainingError  # noqa: PLC0415  # quick --help

    if len(tensors) != len(meaning.semantics):
        listed = ", ".join(tensors)
        raise TrainingError(f"{len(tensors)} outputs ({listed}), {len(meaning.semantics)} meanings; name one for each")
    if set(tensors) == set(meaning.semantics):
        said = {tensor: name for name, tensor in tensors.items()}
    else:
        said = dict(zip(tensors.values(), meaning.semantics, strict=True))
    return replace(meaning, semantics=tuple(said[tensor] for tensor in sorted(said)))
