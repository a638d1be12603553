"""Fills a directory with all that a gateway without a network needs, and proves that nothing is missing.

    python -m deploy.release.wheelhouse --out dist/wheelhouse [--machine aarch64] [--python 3.11]

On the gateway: pip install --no-index --find-links wheelhouse --require-hashes -r wheelhouse/agent.lock
                (wheelhouse/base.lock where there is no hub)
                pip install --no-index --find-links wheelhouse --no-deps edge-agent
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from deploy.release.targets import EXTRAS, LOCK, TARGETS, Target, pip
from deploy.release.wheel import build_wheel


def fetch(target: Target, out: Path) -> None:
    """Download every locked wheel for one kind of gateway; pip refuses one with another hash."""
    pip("download", "--no-deps", "--require-hashes", "--dest", str(out), *target.words, "-r", str(LOCK))


def check(target: Target, out: Path) -> None:
    """Have pip resolve the agent with all that it and the line to the hub ask for from the directory alone.

    Raises:
        SystemExit: Something is missing; pip's message says what.
    """
    wheel = next(out.glob("edge_agent-*.whl"))
    with tempfile.TemporaryDirectory() as scratch:
        pip(
            "install", "--dry-run", "--ignore-installed", "--no-index", "--find-links", str(out),
            "--target", f"{scratch}/none", *target.words, f"{wheel}[sync]",
            PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="", PIP_EXTRA_INDEX_URL="", PIP_INDEX_URL="",
        )  # fmt: skip


def main() -> int:
    """Fill and check; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist/wheelhouse"))
    parser.add_argument("--machine", choices=sorted({target.machine for target in TARGETS}), action="append")
    parser.add_argument("--python", choices=sorted({target.python for target in TARGETS}), action="append")
    options = parser.parse_args()
    chosen = [
        target
        for target in TARGETS
        if (not options.machine or target.machine in options.machine)
        and (not options.python or target.python in options.python)
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    for lock in EXTRAS:
        shutil.copy(lock, options.out)
    wheel = build_wheel(options.out)
    for target in chosen:
        fetch(target, options.out)
        check(target, options.out)
        print(f"{target}: complete")
    files = list(options.out.glob("*.whl"))
    print(
        f"{options.out}: {len(files)} wheels, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB, {wheel.name}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
