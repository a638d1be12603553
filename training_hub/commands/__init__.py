"""One module per subcommand of `training-hub`; `discover` finds them, so a new module is a new command."""

import argparse
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Protocol, cast


class Command(Protocol):
    """What a module in this package offers. Heavy imports belong into `run`: `--help` must stay quick."""

    NAME: str
    """The word on the command line."""
    HELP: str
    """One line."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit status."""


def discover() -> Iterator[Command]:
    """All commands, by module name; modules that begin with an underscore are shared by them."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if not module.name.startswith("_"):
            yield cast(Command, importlib.import_module(f"{__name__}.{module.name}"))
