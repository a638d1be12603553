"""Writes the bill of materials of a gateway with a hub: CycloneDX 1.6 in JSON, with licences and who needs whom.

    python -m deploy.release.sbom --out dist/edge-agent.cdx.json [--wheelhouse dist/wheelhouse]

It looks at a real install, made by the locks in an environment of its own, and says how large it is, and how large the
base install within it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.release.targets import BASE_LOCK, LOCK, REPOSITORY, pip
from deploy.release.wheel import build_wheel


def install(into: Path, wheelhouse: Path | None) -> Path:
    """Make the base install, every hash checked, as pip does it: compiled.

    Args:
        into: A directory that is not there yet: becomes a virtual environment without pip.
        wheelhouse: Wheels to take instead of asking the package index.

    Returns:
        Its Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(into)], check=True)
    python = into / "bin" / "python"
    add(python, BASE_LOCK, wheelhouse)
    with tempfile.TemporaryDirectory() as scratch:
        pip("--python", str(python), "install", "--no-deps", str(build_wheel(Path(scratch))))
    return python


def add(python: Path, lock: Path, wheelhouse: Path | None) -> None:
    """Install what a lock has and the environment lacks."""
    source = [] if wheelhouse is None else ["--no-index", "--find-links", str(wheelhouse)]
    pip("--python", str(python), "install", "--only-binary", ":all:", *source, "--require-hashes", "-r", str(lock))


def installed_mb(environment: Path) -> float:
    """What the packages take on the disk with what pip compiled of them, MB of 10^6 bytes."""
    packages = next((environment / "lib").glob("python*/site-packages"))
    return sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6


def write_sbom(python: Path, out: Path) -> None:
    """Describe what is installed there, checked against CycloneDX's own schema.

    Raises:
        SystemExit: It cannot be made, or is not valid.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(REPOSITORY / "pyproject.toml"),
            "--sv", "1.6", "--of", "JSON", "--output-reproducible", "--validate", "-o", str(out), str(python),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the bill of materials cannot be made:\n{done.stderr[-2000:]}")


def main() -> int:
    """Install, describe, measure; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist/edge-agent.cdx.json"))
    parser.add_argument("--wheelhouse", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch) / "environment"
        python = install(environment, options.wheelhouse)
        base_mb = installed_mb(environment)
        add(python, LOCK, options.wheelhouse)
        write_sbom(python, options.out)
        print(
            f"{options.out}: base install {base_mb:.1f} MB, with the line to the hub {installed_mb(environment):.1f} MB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
