"""The agent's hold on the process that prepares a bundle or shadows with it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.sync.updates.child import ChildOrders
from edge_agent.sync.updates.errors import UpdateError

_MAX_BUFFER_BYTES = 64 << 10
_LOOK_S = 0.25
_REAP_S = 5.0


class UpdateProcess:
    """One child; a context manager that ends it. For one thread, which must outlive it: the child dies with the thread.

    Args:
        orders: What it does.
        stopped: Whether to give up.

    Raises:
        UpdateError: There is no process to be had.
    """

    def __init__(self, orders: ChildOrders, stopped: Callable[[], bool] = lambda: False) -> None:
        self._stopped = stopped
        self._buffer = b""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge_agent.sync.updates.child", orders.model_dump_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise UpdateError(f"the bundle cannot be tried: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # what it was not told any more it needs no more
        try:
            self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            pass  # in the kernel, on a disk that hangs; it holds no one up

    def hear(self, timeout_s: float) -> dict[str, Any]:
        """The next thing that it says.

        Raises:
            UpdateError: It died, said nonsense, or nothing for so long.
        """
        assert self._process.stdout is not None
        until_s = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            if self._stopped():
                raise UpdateError("given up", lasting=False)
            if time.monotonic() > until_s:
                raise UpdateError(f"the new bundle says nothing for {timeout_s:.0f} s")
            readable, _, _ = select.select([self._process.stdout], [], [], _LOOK_S)
            if not readable:
                continue
            heard = os.read(self._process.stdout.fileno(), _MAX_BUFFER_BYTES)
            if not heard:
                raise UpdateError(f"the process that tries the new bundle died ({self._death()})")
            self._buffer += heard
            if len(self._buffer) > _MAX_BUFFER_BYTES:
                raise UpdateError("the process that tries the new bundle speaks nonsense")
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise UpdateError(f"the process that tries the new bundle speaks nonsense: {line[:200]!r}")
        if told.get("event") == "refused":
            raise UpdateError(str(told.get("why", "refused")))
        return told

    def show(self, machine: str, log_mel_db: NDArray[np.float32]) -> None:
        """Give it a window to score.

        Raises:
            UpdateError: It died.
        """
        assert self._process.stdin is not None
        head = json.dumps({"machine": machine, "frames": len(log_mel_db)}).encode() + b"\n"
        try:
            self._process.stdin.write(head + np.ascontiguousarray(log_mel_db, np.float32).tobytes())
            self._process.stdin.flush()
        except OSError as error:
            raise UpdateError(f"the process that tries the new bundle died ({self._death()})") from error

    def _death(self) -> str:
        try:
            status = self._process.wait(_REAP_S)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        return f"signal {-status}" if status < 0 else f"status {status}"
