"""A Dask cluster of real processes, on the loopback."""

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_S = 60.0


@contextmanager
def running_cluster(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The scheduler's address and the processes of its workers; no nanny starts a killed one again."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*command, "--no-dashboard", "--no-show"], stderr=subprocess.PIPE)
    started = [scheduler]
    try:
        address = _address(scheduler)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1"]
        with open(os.devnull, "wb") as nothing:
            for _ in range(workers):
                started.append(subprocess.Popen([*worker, "--no-dashboard"], stderr=nothing, cwd=os.getcwd()))
        yield address, started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _address(scheduler: subprocess.Popen[bytes]) -> str:
    assert scheduler.stderr is not None
    end_s, said = time.monotonic() + _PATIENCE_S, b""
    while time.monotonic() < end_s:
        if select.select([scheduler.stderr], [], [], 0.2)[0]:
            said += os.read(scheduler.stderr.fileno(), 4096)
        if found := re.search(rb"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)", said):
            return found[1].decode()
        assert scheduler.poll() is None, said.decode()
    raise AssertionError(f"the scheduler never said its address: {said!r}")
