"""A process of the demo's own: started, watched and ended by its id."""

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_agent.demo.errors import DemoError

_POLL_S = 0.05


def free_port() -> int:
    """A loopback port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One child process, whose words go to a log file.

    It runs in a session of its own: Ctrl-C reaches the demo alone, which then ends its children in order.

    Args:
        name: What it is, for messages.
        command: What to run.
        log: Where its output goes.
        environ: Its environment; None for this process's.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if environ is None else dict(environ),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            DemoError: It has ended.
        """
        if self._process.poll() is not None:
            raise DemoError(f"{self._name} ended with status {self._process.returncode}: {self._last_words()}")

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait for something that it does.

        Raises:
            DemoError: It ended instead, or took too long.
        """
        deadline_s = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline_s:
                raise DemoError(f"{self._name} was not ready after {timeout_s:g} s: {self._last_words()}")
            time.sleep(_POLL_S)

    def stop(self, timeout_s: float = 10.0) -> int:
        """End it in order, by force where that takes too long; returns its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
