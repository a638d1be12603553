"""`make models`: train and export `models/default` again, from the seed and the number of steps it was shipped with.

The same machine and data give the same weights; another processor or other libraries give a net as good, not the same
bits. Where `MACHINE_SOUND_DATA` is not set, it trains on simulated machines alone.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from training_hub.cli import main as hub
from training_hub.commands._paths import DATA_VARIABLE
from training_hub.training.generic_prior import add_generic

BUNDLE = Path("models/default")
NOTES = Path("models/default-notes.md")
SEED = 1
STEPS = 2600
VERSION = "0.3.1"


def main(argv: Sequence[str] | None = None) -> int:
    """Train, then replace the bundle: encoder, identities and the generic type, which hangs on the encoder."""
    parser = argparse.ArgumentParser(description="train and export models/default")
    parser.add_argument("--run", type=Path, default=Path("runs/default"), help="where the run is kept")
    parser.add_argument("--out", type=Path, default=BUNDLE, help="the bundle")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--version", default=VERSION)
    arguments = parser.parse_args(argv)
    status = hub(["train", "--out", str(arguments.run), "--seed", str(arguments.seed), "--steps", str(arguments.steps)])
    if status:
        return status
    export = ["export", "--run", str(arguments.run), "--out", str(arguments.out), "--version", arguments.version]
    export += ["--notes", str(NOTES)] if NOTES.exists() else []
    export += ["--replace"] if (arguments.out / "manifest.json").exists() else []
    status = hub(export)
    if status:
        return status
    data = os.environ.get(DATA_VARIABLE)
    manifest = Path(data) / "manifest.csv" if data else None
    print(f"generic prior from {manifest or 'simulated machines'}", file=sys.stderr)
    add_generic(arguments.out, manifest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
