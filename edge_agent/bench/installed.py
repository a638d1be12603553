"""How much disk the base install takes: the package and all it requires, without extras, compiled files included."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import edge_agent
from edge_agent.resources import resource

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
_OURS = "edge-agent"


@dataclass(frozen=True)
class Installed:
    """What lies on the disk.

    Attributes:
        packages_mb: Megabytes (10^6 bytes of files) of each distribution, largest first.
        compiled_mb: How much of it is what Python or pip compiled.
    """

    packages_mb: dict[str, float]
    compiled_mb: float

    @property
    def total_mb(self) -> float:
        """All of it."""
        return round(sum(self.packages_mb.values()), 1)


def installed() -> Installed:
    """Measure what is installed here: of a checkout its packages and models, of the Debian package all it brings."""
    sizes: dict[str, int] = {}
    compiled = 0
    code = Path(edge_agent.__file__).parent
    listed = {
        name: {str(distribution.locate_file(file)) for file in distribution.files or ()}
        for name, distribution in distributions([_OURS]).items() or _beside(code.parent)
    }
    ours = listed.setdefault(_OURS, set())
    if str(code / "__init__.py") not in ours:
        ours.update(_checkout(code))
    for name, files in listed.items():
        files |= {cache_from_source(file) for file in files if file.endswith(".py")}
        bytes_of = {file: _size(file) for file in files}
        sizes[name] = sum(bytes_of.values())
        compiled += sum(size for file, size in bytes_of.items() if file.endswith(".pyc"))
    largest_first = sorted(((name, round(size / 1e6, 2)) for name, size in sizes.items()), key=lambda item: -item[1])
    return Installed(dict(largest_first), round(compiled / 1e6, 1))


def distributions(names: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Distributions by name, with all that they require without extras; those that are installed here.

    Args:
        names: Names, or requirements as pyproject.toml has them.
    """
    found: dict[str, metadata.Distribution] = {}
    pending = list(names)
    while pending:
        match = _NAME.match(pending.pop())
        name = re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""
        if not name or name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform
        pending += [requirement for requirement in found[name].requires or () if "extra ==" not in requirement]
    return found


def _beside(directory: Path) -> Iterator[tuple[str, metadata.Distribution]]:
    """All that is installed there: in the Debian package nothing says what of it the agent itself needs."""
    for distribution in metadata.distributions(path=[str(directory)]):
        yield distribution.name, distribution


def _checkout(code: Path) -> Iterator[str]:
    for directory in (code, code.parent / "training_hub", resource("models/default"), resource("models/speech")):
        for path in directory.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                yield str(path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # listed, but not there: removed after the install, or not compiled
