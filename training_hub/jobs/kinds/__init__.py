"""One module per kind of job; `discover` finds them, so a new module is a new kind."""

import importlib
import pkgutil
from typing import Any, Protocol, cast

from training_hub.jobs.context import JobContext


class JobKind(Protocol):
    """What a module in this package offers. Heavy imports belong into `run`."""

    KIND: str
    """The word in `jobs.kind`."""

    def run(self, context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
        """Do the work; what it returns becomes `jobs.result`. May be run again from the start after a crash."""


def discover() -> dict[str, JobKind]:
    """All kinds, by their word."""
    found = [cast(JobKind, importlib.import_module(f"{__name__}.{m.name}")) for m in pkgutil.iter_modules(__path__)]
    return {module.KIND: module for module in found}
