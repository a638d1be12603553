"""Jobs on both backends: written, told, done, failed, cancelled, taken over."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_agent.observe.systemd import SystemdNotifier
from tests.support import job_kind_deaf, job_kind_die, job_kind_wait, job_kinds
from training_hub.catalogue.tables import Job
from training_hub.catalogue.types import utc_now
from training_hub.jobs.embedded import EmbeddedWorker
from training_hub.jobs.errors import JobError
from training_hub.jobs.ledger import JobLedger, Standing, ask_cancel
from training_hub.jobs.queue import HubQueue
from training_hub.jobs.worker import Worker
from training_hub.parts import HubParts

PATIENCE_S = 60.0
KINDS: dict[str, ModuleType] = {
    "echo": job_kinds.kind("echo", job_kinds.echo),
    "wait": job_kinds.kind("wait", job_kinds.wait),
    "once": job_kinds.kind("once", job_kinds.wait, REPEATABLE=False),
    "fail": job_kinds.kind("fail", job_kinds.fail),
    "deaf": job_kind_deaf,
    "die": job_kind_die,
    "wait_apart": job_kind_wait,
}


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds of the tests, in place of the hub's."""
    monkeypatch.setattr("training_hub.jobs.kinds.discover", lambda: KINDS)


@contextmanager
def working(parts: HubParts, slots: int = 1) -> Iterator[Worker]:
    """A worker that works while the block runs."""
    worker = Worker(parts, slots=slots, kinds=KINDS)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.02)


def enqueue(parts: HubParts, kind: str, **parameters: object) -> str:
    with parts.database.transaction() as session:
        return parts.jobs.enqueue(session, kind, parameters, by="user:anna")


def row(parts: HubParts, job_id: str) -> Job:
    with parts.database.transaction(writes=False) as session:
        job = session.get(Job, job_id)
        assert job is not None
        return job


def ended(parts: HubParts, job_id: str, state: str) -> Job:
    until(lambda: row(parts, job_id).state not in ("queued", "running"))
    job = row(parts, job_id)
    assert job.state == state, job.message
    return job


def cancel(parts: HubParts, job_id: str) -> bool:
    with parts.database.transaction() as session:
        return ask_cancel(session, job_id)


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_job_is_done_with_its_result(parts: HubParts) -> None:
    with working(parts):
        job = ended(parts, enqueue(parts, "echo", say="hm"), "done")
    assert job.result == {"said": "hm", "by": "user:anna"}
    assert (job.progress, job.attempts, job.created_by) == (1.0, 1, "user:anna")
    assert job.started_at is not None and job.finished_at is not None and job.started_at <= job.finished_at


def test_many_jobs_on_several_slots_are_each_done_once(parts: HubParts) -> None:
    ids = [enqueue(parts, "echo", say=k) for k in range(30)]
    with working(parts, slots=3), working(parts, slots=2):
        jobs = [ended(parts, job_id, "done") for job_id in ids]
    assert [job.result["said"] for job in jobs if job.result] == list(range(30))
    assert {job.attempts for job in jobs} == {1}


def test_a_rolled_back_job_never_was(parts: HubParts) -> None:
    with pytest.raises(RuntimeError, match="oh"), parts.database.transaction() as session:
        parts.jobs.enqueue(session, "echo", {"say": "never"}, by="user:anna")
        raise RuntimeError("oh")
    with working(parts), parts.database.transaction(writes=False) as session:
        assert session.query(Job).count() == 0


def test_an_unknown_kind_is_refused(parts: HubParts) -> None:
    with pytest.raises(JobError, match="no kind of job 'dance'; there are"):
        enqueue(parts, "dance")


def test_a_failure_says_what_went_wrong(parts: HubParts) -> None:
    with working(parts):
        job = ended(parts, enqueue(parts, "fail"), "failed")
    assert job.message == "ValueError: the number 7 is too odd; give an even one"
    assert job.attempts == 1


def test_a_job_that_nobody_was_told_of_is_found(parts: HubParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_word(_self: HubQueue, _ids: object) -> None:
        raise ConnectionError("the queue is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(parts.jobs), "tell", no_word)
        job_id = enqueue(parts, "echo", say="late")
    assert row(parts, job_id).state == "queued"
    with working(parts):
        assert ended(parts, job_id, "done").result == {"said": "late", "by": "user:anna"}


def test_a_waiting_job_is_cancelled_at_once(parts: HubParts) -> None:
    job_id = enqueue(parts, "echo", say="no")
    assert cancel(parts, job_id)
    assert row(parts, job_id).state == "cancelled"
    assert not cancel(parts, job_id)
    with working(parts):
        ended(parts, enqueue(parts, "echo", say="next"), "done")
    assert row(parts, job_id).state == "cancelled"


def test_a_wish_written_into_the_row_of_a_waiting_job_is_heard(parts: HubParts) -> None:
    job_id = enqueue(parts, "echo", say="no")
    with parts.database.transaction() as session:
        job = session.get(Job, job_id)
        assert job is not None
        job.cancel_asked = True
    with working(parts):
        assert ended(parts, job_id, "cancelled").attempts == 0


def test_a_running_job_is_cancelled_at_its_next_word(parts: HubParts, tmp_path: Path) -> None:
    job_id = enqueue(parts, "wait", directory=str(tmp_path))
    with working(parts):
        until((tmp_path / "started").exists)
        until(lambda: row(parts, job_id).message == "waiting")
        assert cancel(parts, job_id)
        ended(parts, job_id, "cancelled")


def test_a_process_that_does_not_listen_is_killed_with_all_it_started(parts: HubParts, tmp_path: Path) -> None:
    job_id = enqueue(parts, "deaf", directory=str(tmp_path))
    with working(parts):
        until((tmp_path / "pids").exists)
        cancel(parts, job_id)
        assert "killed" in ended(parts, job_id, "cancelled").message
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    until(lambda: not any(lives(pid) for pid in pids))


def test_a_process_does_its_job_and_writes_its_result(parts: HubParts, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with working(parts):
        job = ended(parts, enqueue(parts, "wait_apart", directory=str(tmp_path)), "done")
    assert job.result == {"waited": True}
    assert int((tmp_path / "started").read_text()) != os.getpid()


def test_a_process_that_dies_fails_its_job(parts: HubParts) -> None:
    with working(parts):
        assert "ended with status 9" in ended(parts, enqueue(parts, "die"), "failed").message


def test_a_stopped_worker_puts_its_job_back(parts: HubParts, tmp_path: Path) -> None:
    job_id = enqueue(parts, "wait", directory=str(tmp_path))
    with working(parts):
        until((tmp_path / "started").exists)
    assert row(parts, job_id).state == "queued"
    (tmp_path / "go").touch()
    with working(parts):
        assert ended(parts, job_id, "done").attempts == 2


def test_a_killed_workers_job_is_done_by_another(parts: HubParts, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from tests.support import job_kinds\n"
        "from training_hub.config.settings import HubSettings\n"
        "from training_hub.jobs.worker import Worker\n"
        "from training_hub.opening import open_parts\n"
        "with open_parts(HubSettings.model_validate_json(sys.argv[1]), os.environ) as parts:\n"
        "    Worker(parts, slots=1, kinds={'wait': job_kinds.kind('wait', job_kinds.wait)}).run()\n"
    )
    job_id = enqueue(parts, "wait", directory=str(tmp_path))
    other = subprocess.Popen([sys.executable, "-c", program, parts.settings.model_dump_json()])
    try:
        until((tmp_path / "started").exists)
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert row(parts, job_id).state == "running"
    (tmp_path / "go").touch()
    with working(parts):
        assert ended(parts, job_id, "done").attempts == 2


@pytest.mark.parametrize(
    ("kind", "attempts", "message"),
    [("wait", 3, "went silent 3 times"), ("once", 1, "went silent 1 times")],
    ids=["too often", "not repeatable"],
)
def test_what_must_not_be_repeated_is_failed(parts: HubParts, kind: str, attempts: int, message: str) -> None:
    job_id = enqueue(parts, kind, directory="/nowhere")
    _silence(parts, job_id, attempts)
    Worker(parts, slots=1, kinds=KINDS).sweep()
    job = row(parts, job_id)
    assert job.state == "failed"
    assert message in job.message


def test_a_worker_that_lost_its_job_writes_nothing_more(parts: HubParts) -> None:
    job_id = enqueue(parts, "echo", say="x")
    ledger = JobLedger(parts.database)
    first = ledger.claim(job_id)
    assert first is not None and ledger.claim(job_id) is None
    _silence(parts, job_id, 1)
    assert ledger.sweep(silent_for_s=2.0, most_attempts=3, repeatable={"echo"}) == [job_id]
    second = ledger.claim(job_id)
    assert second is not None and second.number == 2
    assert ledger.report(first, 0.9, "still here") is Standing.LOST
    assert not ledger.done(first, {"of": "the first"})
    assert ledger.done(second, {"of": "the second"})
    assert row(parts, job_id).result == {"of": "the second"}


def test_telling_twice_makes_one_entry(parts: HubParts) -> None:
    queue: Any = parts.jobs
    job_id = enqueue(parts, "echo", say="x")
    for _ in range(5):
        queue.tell([job_id])
    with working(parts):
        assert ended(parts, job_id, "done").attempts == 1


def test_a_queue_that_fails_for_a_while_is_worked_off_afterwards(
    parts: HubParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, tries = type(parts.jobs).work, []

    def work_from_the_third_on(queue: HubQueue, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        tries.append(1)
        if len(tries) < 3:
            raise JobError("the queue is away")
        works(queue, *arguments, **named)

    monkeypatch.setattr("training_hub.jobs.worker._AGAIN_S", 0.05)
    monkeypatch.setattr(type(parts.jobs), "work", work_from_the_third_on)
    monkeypatch.setattr("training_hub.jobs.worker.discover", lambda: KINDS)
    worker = EmbeddedWorker(parts)
    with worker:
        ended(parts, enqueue(parts, "echo", say="hm"), "done")
        assert worker.alive() and len(tries) == 3


def test_systemd_is_told_that_it_works_lives_and_ends(parts: HubParts, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        notifier = SystemdNotifier(str(tmp_path / "notify"), watchdog_s=0.3)
        worker = Worker(parts, slots=2, kinds=KINDS, notifier=notifier)
        thread = threading.Thread(target=worker.run)
        thread.start()
        said = [manager.recv(1000) for _ in range(4)]
        assert b"READY=1\nSTATUS=up to 2 at a time" in said
        assert said.count(b"WATCHDOG=1") == 3
        worker.stop()
        while manager.recv(1000) != b"STOPPING=1":
            pass
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_systemd_is_not_told_that_a_worker_lives_whose_database_hangs(
    parts: HubParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(_ledger: JobLedger, **_limits: object) -> list[str]:
        hangs.set()
        goes_on.wait(PATIENCE_S)
        return []

    monkeypatch.setattr(JobLedger, "sweep", hang)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        notifier = SystemdNotifier(str(tmp_path / "notify"), watchdog_s=0.3)
        worker = Worker(parts, slots=1, kinds=KINDS, notifier=notifier)
        thread = threading.Thread(target=worker.run)
        thread.start()
        assert hangs.wait(PATIENCE_S) and manager.recv(1000).startswith(b"READY=1")
        manager.settimeout(0.5)
        with pytest.raises(TimeoutError):
            manager.recv(1000)
        manager.settimeout(PATIENCE_S)
        goes_on.set()
        assert manager.recv(1000) == b"WATCHDOG=1"
        worker.stop()
        thread.join(PATIENCE_S)


def test_the_embedded_worker_works(parts: HubParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training_hub.jobs.worker.discover", lambda: KINDS)
    with EmbeddedWorker(parts):
        ended(parts, enqueue(parts, "echo", say="hm"), "done")


def _silence(parts: HubParts, job_id: str, attempts: int) -> None:
    with parts.database.transaction() as session:
        job = session.get(Job, job_id)
        assert job is not None
        job.state, job.attempts, job.beat_at = "running", attempts, utc_now() - timedelta(seconds=60)
