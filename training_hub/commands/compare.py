"""`training-hub compare`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training_hub.commands._settings import add_settings_arguments, settings_of

if TYPE_CHECKING:
    from edge_agent.inference.bundle import Bundle
    from training_hub.parts import HubParts
    from training_hub.retrain.run import Material

NAME = "compare"
HELP = "judge two bundles machine by machine on held-out clips, and whether the second may follow the first"

CATALOGUE = "catalogue"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("before", metavar="BUNDLE", help="the bundle in use: a directory, NAME:VERSION or SHA-256")
    parser.add_argument("after", metavar="BUNDLE", help="the one that is to follow it")
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="catalogue|DIR",
        help="the hub's catalogue, or a directory with a manifest.csv or .npz files of log-mel clips",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the division of clips (default: 1)")
    add_settings_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the figures of every machine and the gate; 0 where no machine loses, else 1."""
    import os  # noqa: PLC0415  # quick --help
    import sys  # noqa: PLC0415

    from training_hub.catalogue.migrate import migrate  # noqa: PLC0415
    from training_hub.compute.opening import open_compute  # noqa: PLC0415
    from training_hub.opening import open_parts  # noqa: PLC0415
    from training_hub.retrain.card import gate_table  # noqa: PLC0415
    from training_hub.retrain.run import judge_both  # noqa: PLC0415

    def progress(_share: float, message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    settings = settings_of(arguments)
    with open_parts(settings, os.environ) as parts, open_compute(settings.compute) as compute:
        migrate(parts.database)
        before, after = (_bundle(word, parts) for word in (arguments.before, arguments.after))
        material = _material(arguments, parts)
        gate, _ = judge_both(before, after, material, seed=arguments.seed, compute=compute, progress=progress)
    print(f"{before.ref.name} {before.ref.version} → {after.ref.name} {after.ref.version}")
    print(gate_table(gate))
    for item in gate.machines:
        print(f"{item.machine}: {item.uncertainty}")
    for line in gate.why:
        print(f"- {line}")
    print(f"gate: {'passed' if gate.passed else 'refused'}; worst machine: {gate.worst or 'none could be compared'}")
    return 0 if gate.passed else 1


def _bundle(word: str, parts: HubParts) -> Bundle:
    """A bundle by its directory, or of the catalogue."""
    from sqlalchemy import select  # noqa: PLC0415  # quick --help

    from edge_agent.inference.bundle import load_bundle  # noqa: PLC0415
    from training_hub.catalogue.tables import Bundle as BundleRow  # noqa: PLC0415
    from training_hub.retrain.errors import RetrainError  # noqa: PLC0415
    from training_hub.sounds.shelf import BundleShelf  # noqa: PLC0415

    if Path(word).is_dir():
        return load_bundle(word)
    name, _, version = word.partition(":")
    wanted = BundleRow.sha256 == word
    if version:
        wanted = (BundleRow.name == name) & (BundleRow.version == version)
    with parts.database.transaction(writes=False) as session:
        sha256 = session.scalar(select(BundleRow.sha256).where(wanted))
    if sha256 is None:
        raise RetrainError(
            f"no bundle {word!r}: neither a directory nor in the catalogue; give DIR, NAME:VERSION or SHA"
        )
    return BundleShelf(parts).ear(sha256).bundle


def _material(arguments: argparse.Namespace, parts: HubParts) -> Material:
    from training_hub.features.decode import decode_frames  # noqa: PLC0415  # quick --help
    from training_hub.retrain.clips import with_windows  # noqa: PLC0415
    from training_hub.retrain.directory import known_of, read_directory  # noqa: PLC0415
    from training_hub.retrain.run import catalogue_material, divided  # noqa: PLC0415

    if arguments.source == CATALOGUE:
        return catalogue_material(parts, arguments.seed)
    found = {}
    for clip in read_directory(Path(arguments.source)):
        known = known_of(clip)
        if known is not None:
            found[known] = decode_frames(clip.content, clip.kind, name=clip.name)
    frames = {known.key.sha256: values for known, values in found.items()}
    return divided(list(found), lambda clips, groups: with_windows(clips, groups, frames), arguments.seed, {})
