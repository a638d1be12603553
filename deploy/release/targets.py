"""The gateways that a release is for, and pip's words for them."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONSTRAINTS = REPOSITORY / "constraints.txt"
LOCK = REPOSITORY / "deploy" / "release" / "agent.lock"
"""Of a gateway with a hub: the base install and the extra `sync`."""
BASE_LOCK = LOCK.with_name("base.lock")
"""Of a gateway without one."""
EXTRAS = {LOCK: ("sync",), BASE_LOCK: ()}
"""What each lock holds besides the base install."""
GLIBC_MINOR = 36
"""glibc 2.36: Debian 12 and Raspberry Pi OS of 2023; Ubuntu 24.04 has a later one."""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of gateway.

    Attributes:
        machine: As `uname -m` says.
        python: Version of CPython, such as `3.11`.
    """

    machine: str
    python: str

    @property
    def words(self) -> list[str]:
        """What tells pip to choose wheels for it instead of for this computer."""
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in range(GLIBC_MINOR, 16, -1)]
        platforms += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        words = [word for platform in platforms for word in ("--platform", platform)]
        return [*words, "--python-version", self.python, "--implementation", "cp", "--only-binary", ":all:"]

    def __str__(self) -> str:
        return f"{self.machine}, Python {self.python}"


TARGETS = tuple(Target(machine, python) for machine in ("x86_64", "aarch64") for python in ("3.11", "3.12", "3.13"))


def requirements(*extras: str) -> list[str]:
    """What the agent itself asks for, and what its extras of these names do."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    optional: dict[str, list[str]] = project["optional-dependencies"]
    return [*project["dependencies"], *(each for extra in extras for each in optional[extra])]


def pip(*words: str, **environment: str) -> None:
    """Run pip; ends the command with its message where it fails."""
    import os  # noqa: PLC0415  # the environment of this call alone

    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"pip {' '.join(words[:2])} failed:\n{done.stderr[-2000:]}")


def pinned(path: Path) -> Iterator[tuple[str, str]]:
    """Name (normalised) and version of every line `name==version` of a constraints or lock file."""
    for line in path.read_text().splitlines():
        name, found, version = line.partition("==")
        if found and not line.startswith("#"):
            yield name.strip().lower().replace("_", "-").replace(".", "-"), version.split()[0]
