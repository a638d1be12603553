"""Builds the wheel so that the same commit gives the same bytes, wherever it is built.

python -m deploy.release.wheel --out dist      # prints its SHA-256
python -m deploy.release.wheel --verify        # builds it twice in different directories and compares
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.release.targets import REPOSITORY

_NEEDED = ("edge_agent", "training_hub", "models", "config", "deploy/systemd")
_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


def build_wheel(out: Path) -> Path:
    """Build it from a copy of the tree: nothing that an earlier build left gets in.

    Args:
        out: Where the wheel goes.

    Returns:
        The wheel.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _last_commit()
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        for name in _NEEDED:
            shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
        for name in _FILES:
            shutil.copy(REPOSITORY / name, tree / name)
        _normalise(tree)
        built_in = Path(scratch) / "out"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "build",
                "--wheel",
                "--no-isolation",
                "--outdir",
                str(built_in),
                str(tree),
            ],
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
            umask=0o022,
        )
        if done.returncode:
            raise SystemExit(f"the wheel cannot be built:\n{done.stderr[-2000:]}")
        built = next(built_in.glob("*.whl"))
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(built, out / built.name))


def _normalise(tree: Path) -> None:
    """The umask of whoever builds must not show."""
    for path in tree.rglob("*"):
        executable = path.is_dir() or os.access(path, os.X_OK)
        path.chmod(0o755 if executable else 0o644)


def _last_commit() -> str:
    return subprocess.run(
        ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True
    ).stdout.strip()


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Build or verify; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    if not options.verify:
        wheel = build_wheel(options.out)
        print(f"{sha256(wheel)}  {wheel}")
        return 0
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        previous = os.umask(0o022)
        one = sha256(build_wheel(Path(first)))
        os.umask(0o077)
        two = sha256(build_wheel(Path(second)))
        os.umask(previous)
    print(f"{one}\n{two}\n{'the same bytes' if one == two else 'NOT the same bytes'}")
    return int(one != two)


if __name__ == "__main__":
    sys.exit(main())
