"""Heavy jobs in a process of their own: one that does not end when asked to is killed."""

import os
import signal
import subprocess
import sys
import time

from pydantic import BaseModel, ConfigDict

from training_hub.config.settings import HubSettings
from training_hub.jobs.kinds import JobKind
from training_hub.jobs.ledger import Attempt, JobLedger, Standing
from training_hub.jobs.reporting import RowProgress

_LOOK_EVERY_S = 0.2


class Order(BaseModel):
    """What the process is told, as JSON on its standard input; secrets go as paths of files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: str
    """As JSON."""
    module: str
    """Of the kind."""
    job_id: str
    number: int
    kind: str
    parameters: dict[str, object]
    created_by: str


def run_in_process(
    kind: JobKind, attempt: Attempt, settings: HubSettings, ledger: JobLedger, progress: RowProgress
) -> str:
    """Run an attempt in a process of its own, which writes its progress and its end to the row itself.

    Returns:
        What became of it, for the log.
    """
    order = Order(
        settings=settings.model_dump_json(),
        module=kind.__name__,  # type: ignore[attr-defined]  # kinds are modules
        job_id=attempt.job_id,
        number=attempt.number,
        kind=attempt.kind,
        parameters=attempt.parameters,
        created_by=attempt.created_by,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "training_hub.jobs.child"],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,  # it and all that it starts are killed together
    )
    assert process.stdin is not None
    try:
        process.stdin.write(order.model_dump_json().encode() + b"\n")
        process.stdin.flush()  # left open: its end tells the process that this worker is gone
        killed = _wait(process, progress, settings.jobs.cancel_grace_s)
    finally:
        _kill(process)
        process.stdin.close()
    if progress.standing is Standing.CANCEL:
        ledger.cancelled(attempt, "cancelled; it was killed, as it did not end by itself" if killed else "cancelled")
        return "cancelled"
    if killed:
        ledger.put_back(attempt, "put back: its worker was stopped")
        return "put back"
    if process.returncode:
        ledger.failed(attempt, f"its process ended with {_described(process.returncode)}; see the worker's log")
    return f"its process ended with {_described(process.returncode)}"


def _wait(process: subprocess.Popen[bytes], progress: RowProgress, grace_s: float) -> bool:
    """Wait for the end, or for the grace after a wish to end; whether it still runs then."""
    until_s: float | None = None
    while process.poll() is None:
        if progress.must_end:
            until_s = until_s or time.monotonic() + (grace_s if progress.standing is Standing.CANCEL else 0.0)
            if time.monotonic() >= until_s:
                return True
        try:
            process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            continue
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it and all that it started are gone
    process.wait()


def _described(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
