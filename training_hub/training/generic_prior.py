"""The generic prior of the shipped bundle: what machines have in common, from sound that may be shipped.

    python -m training_hub.training.generic_prior models/default

fits it anew into a bundle, whenever the detectors or the encoder have changed.
"""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_agent.detection.prior import TypePrior
from edge_agent.inference.bundle import GENERIC_TYPE, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import Manifest
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from training_hub.commands._paths import DATA_VARIABLE
from training_hub.training.bundle_writer import add_type
from training_hub.training.errors import TrainingError
from training_hub.training.fit_type import fit_generic
from training_hub.training.normals import MachineNormals, read_normals
from training_hub.training.recorded import is_clean, licence_of

_SIMULATED_PER_TYPE = 6
_SIMULATED_WINDOWS = 12
_WINDOW_SAMPLES = 160_000
_SEED = 7


def add_generic(bundle_dir: Path, manifest: Path | None) -> Manifest:
    """Fit the generic prior into a bundle, in place.

    Args:
        bundle_dir: The bundle.
        manifest: `manifest.csv` of recordings; only those whose licence allows it are used. Without one the prior is
            fitted on simulated machines: enough to work with, worse on real ones.
    """
    prior = clean_generic(manifest)
    return add_type(load_bundle(bundle_dir), GENERIC_TYPE, prior.to_arrays(), bundle_dir)


def clean_generic(manifest: Path | None) -> TypePrior:
    """The generic prior from recordings under licences that let models be shipped, or from simulated machines."""
    if manifest is None:
        return fit_generic(simulated_normals())
    with open(manifest, newline="", encoding="utf-8") as file:
        clean = {(row["machine_type"], row["machine_id"]) for row in csv.DictReader(file) if is_clean(licence_of(row))}
    # a machine's states carry its id with the state behind a colon
    kept = [n for n in read_normals([manifest]) if (n.machine_type, n.machine_id.partition(":")[0]) in clean]
    return fit_generic(kept)


def simulated_normals() -> list[MachineNormals]:
    """Healthy running machines of every simulated type."""
    normals = []
    for place, machine_type in enumerate(MachineType):
        for k in range(_SIMULATED_PER_TYPE):
            machine_id = f"sim_{machine_type.value}_{k:02d}"
            spec = random_spec(machine_type, np.random.default_rng([_SEED, place, k]), machine_id)
            simulator = MachineSimulator(spec, seed=k)
            windows = tuple(log_mel_db(simulator.render(_WINDOW_SAMPLES)) for _ in range(_SIMULATED_WINDOWS))
            normals.append(MachineNormals(machine_type.value, machine_id, windows, np.arange(_SIMULATED_WINDOWS)))
    return normals


def main(argv: Sequence[str] | None = None) -> int:
    """Fit the generic prior into a bundle, in place."""
    parser = argparse.ArgumentParser(description="fit the generic prior into a bundle, in place")
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE),
        help=f"directory with a manifest.csv (default: {DATA_VARIABLE}); without one: simulated machines",
    )
    arguments = parser.parse_args(argv)
    source = arguments.data / "manifest.csv" if arguments.data else None
    print(f"generic prior from {source or 'simulated machines'}", file=sys.stderr)
    try:
        add_generic(arguments.bundle, source)
    except (TrainingError, BundleError, OSError) as error:
        print(f"generic_prior: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
