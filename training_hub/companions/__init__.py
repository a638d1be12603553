"""What runs beside the web server in `training-hub serve`: one module each, found by `discover`.

A module offers `make(parts, environ) -> Companion | None`: None where the settings do not want it here.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Protocol

from training_hub.parts import HubParts


class Companion(Protocol):
    """Something with a thread of its own."""

    name: str
    """For the log and `/readyz`."""

    def start(self) -> None:
        """Begin; it returns at once."""

    def stop(self) -> None:
        """End in order, within a few seconds."""

    def alive(self) -> bool:
        """Whether it runs as it should."""


class CompanionModule(Protocol):
    """What a module in this package offers."""

    def make(self, parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
        """The companion that these settings want."""


def discover(parts: HubParts, environ: Mapping[str, str]) -> Iterator[Companion]:
    """Every companion that the settings want, by module name."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        made: Companion | None = importlib.import_module(f"{__name__}.{module.name}").make(parts, environ)
        if made is not None:
            yield made
