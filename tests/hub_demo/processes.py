"""Processes of the demo, each with a log of its own, all ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support.agent import ROOT

_END_S = 60.0


class DemoError(Exception):
    """The demo cannot go on; the message says at which step, and shows the log's end."""


@dataclass
class Processes:
    """Starts commands of this repository.

    Attributes:
        directory: Where their logs lie.
    """

    directory: Path
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Ends with the block, whatever happens in it."""
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, module: str, *words: str, environ: Mapping[str, str] | None = None) -> Running:
        """Start `python -m module words...` with its output in `<name>.log`."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running = Running(name, process, log)
        self._stack.callback(running.end)
        return running


@dataclass
class Running:
    """One process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises `DemoError` where it has ended."""
        if self.process.poll() is not None:
            raise DemoError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def end(self) -> None:
        """As systemd does; killed where it does not obey."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run(module: str, *words: str | Path, given: str | None = None) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        DemoError: It failed.
    """
    line: Sequence[str] = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise DemoError(f"{module} {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout
