"""One module per page or family of pages; `discover` finds them, so a new module is a new page."""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter


def discover() -> Iterator[APIRouter]:
    """The `router` of every module, by its name."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        router = importlib.import_module(f"{__name__}.{module.name}").router
        assert isinstance(router, APIRouter)
        yield router
