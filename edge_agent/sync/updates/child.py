"""The process that prepares a bundle and then shadows with it: `python -m edge_agent.sync.updates.child ORDERS`.

It has the lowest priority and dies with the agent. Orders and answers are lines of JSON; a window's frames follow its
line as raw float32. Nothing is unpickled on either side.
"""

import json
import os
import signal
import sys
import time
from typing import IO, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from edge_agent.agent.profiles import ProfileStore
from edge_agent.capture.parent_death import die_with_parent
from edge_agent.detection.features import BANDS
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.in_use import bundle_dir, profiles_dir
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.prepare import Preparation, prepare
from edge_agent.sync.updates.recent import Model
from edge_agent.sync.updates.scorers import model_of

MAX_LINE_BYTES = 4096
MAX_FRAMES = 4096
_NICE = 19
_TIMED_EVERY = 8  # the one in use is run here too, now and then: both are timed under the same conditions


class ChildOrders(BaseModel):
    """What a child is told.

    Attributes:
        parent_pid: Who started it.
        work: What is to be prepared, or was.
        shadow: Whether it is to score windows; else it prepares and ends.
        kill_at: A step at which it kills itself; for tests of what that leaves behind.
    """

    model_config = ConfigDict(frozen=True)

    parent_pid: int
    work: Preparation
    shadow: bool = False
    kill_at: str | None = None


def main(words: list[str]) -> int:
    """Do as ordered; the exit status tells nothing that the last line does not."""
    orders = ChildOrders.model_validate_json(words[0])
    die_with_parent(orders.parent_pid)
    os.nice(_NICE)
    try:
        if orders.shadow:
            _shadow(orders.work, sys.stdin.buffer)
        else:
            done = prepare(orders.work, lambda phase: _say(event="phase", phase=phase), lambda at: _killed(orders, at))
            _say(event="prepared", **done.model_dump(mode="json"))
    except UpdateError as error:
        _say(event="refused", why=str(error))
    except Exception as error:  # a defect that a bundle brings out is a reason to refuse it
        _say(event="refused", why=f"{type(error).__name__}: {error}")
    return 0


def _killed(orders: ChildOrders, step: str) -> None:
    if step == orders.kill_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _shadow(work: Preparation, windows: IO[bytes]) -> None:
    new = load_bundle(bundle_dir(work.state_dir, work.expected.sha256), probe=False, self_test=False)
    old = load_bundle(work.former, probe=False, self_test=False)
    placed = ProfileStore(work.state_dir, profiles_dir(work.state_dir, work.profiles))
    new_model = model_of(new, placed, work.machines)
    old_model = model_of(old, ProfileStore(work.state_dir), work.machines)
    _say(event="ready", machines=sorted(new_model.scorers))
    count = 0
    while line := windows.readline(MAX_LINE_BYTES):
        told = json.loads(line)
        machine, frames = str(told["machine"]), min(int(told["frames"]), MAX_FRAMES)
        content = windows.read(frames * BANDS * 4)
        log_mel_db = np.frombuffer(content, np.float32).reshape(frames, BANDS)
        timed = count % _TIMED_EVERY == _TIMED_EVERY - 1  # not the first: it sets things up
        count += 1
        try:
            answer, new_s = _timed(new_model, machine, log_mel_db)
            old_s = _timed(old_model, machine, log_mel_db)[1] if timed else None
        except Exception as error:  # one window's fault is told and counted, and the next one is scored
            _say(event="error", why=f"{type(error).__name__}: {error}"[:500])
        else:
            _say(event="scored", **answer, new_s=new_s if timed else None, old_s=old_s)


def _timed(
    model: Model, machine: str, log_mel_db: "np.ndarray[Any, np.dtype[np.float32]]"
) -> tuple[dict[str, Any], float]:
    # processor time: this process is the least urgent one, and how long it is kept waiting says nothing of the model
    started_s = time.process_time()
    verdict = model.scorers[machine].score(model.hear(log_mel_db))
    took_s = time.process_time() - started_s
    if not np.isfinite(verdict.score):
        raise ValueError(f"score of {verdict.score}")
    return {"percentile": verdict.percentile, "anomalous": verdict.is_anomalous}, took_s


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
