"""Kinds of jobs for tests: they wait for files, so that a test says when what happens."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from training_hub.jobs.context import JobContext


def kind(word: str, run: Any, **attributes: object) -> ModuleType:  # noqa: ANN401  # as a module has it
    """A module with what a kind must have."""
    module = ModuleType(f"tests.support.job_kinds.{word}")
    vars(module).update(KIND=word, run=run, **attributes)
    return module


def echo(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Give back what it was given."""
    context.progress(0.5, "half way")
    return {"said": parameters["say"], "by": context.created_by}


def wait(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Say `started`, then go on until a file appears."""
    directory = Path(parameters["directory"])
    with (directory / "started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (directory / "go").exists():
        context.progress(0.25, "waiting")
        time.sleep(0.02)
    return {"waited": True}


def fail(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Go wrong."""
    raise ValueError("the number 7 is too odd; give an even one")


def deaf(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Start a process, note both, and never listen."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(parameters["directory"], "pids.new").write_text(f"{os.getpid()} {other.pid}")
    Path(parameters["directory"], "pids.new").rename(Path(parameters["directory"], "pids"))
    time.sleep(600)
    return {}


def die(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """End the process without a word."""
    os._exit(9)
