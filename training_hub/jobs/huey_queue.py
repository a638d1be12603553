"""Jobs told through huey in a SQLite file: no server."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from training_hub.jobs.errors import JobError
from training_hub.jobs.queue import HubQueue, Run


class JsonSerializer(Serializer):  # type: ignore[misc]  # huey has no types
    """JSON in place of huey's pickles: whoever can write the file must not be able to run code in the worker."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict()).encode()

    def _deserialize(self, data: bytes) -> Message:
        try:
            fields: dict[str, Any] = json.loads(data)
            fields["args"] = tuple(fields["args"])
            return Message(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise JobError(f"an entry of the queue's file is damaged ({error}); remove the file") from error


class HueyQueue(HubQueue):
    """Jobs told through huey.

    Args:
        path: The file; made where it is not there. It may be removed while no hub runs: the rows are the truth.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._huey = SqliteHuey(
            "hub", filename=str(path), results=False, utc=True, serializer=JsonSerializer(), timeout=30
        )
        self._run: Run | None = None
        self._task = self._huey.task(name="run_job")(self._do)

    def tell(self, job_ids: Iterable[str]) -> None:
        """Have workers take these jobs up."""
        pending = {task.args[0] for task in self._huey.pending()}
        for job_id in job_ids:
            if job_id not in pending:
                self._task(job_id)

    def work(self, run: Run, stop: threading.Event, *, slots: int, poll_s: float) -> None:
        """Run jobs as they come until `stop` is set and those running have returned."""
        self._run = run
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=self._loop, args=(stop, poll_s, failures), name=f"jobs-{k}", daemon=True)
            for k in range(slots)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise JobError(f"the queue cannot be worked off: {failures[0]}") from failures[0]

    def close(self) -> None:
        """Close the file."""
        self._huey.storage.close()

    def _loop(self, stop: threading.Event, poll_s: float, failures: list[BaseException]) -> None:
        try:
            while not stop.is_set() and not failures:
                task = self._huey.dequeue()
                if task is None:
                    stop.wait(poll_s)
                else:
                    self._huey.execute(task)
        except Exception as error:  # told to whoever called `work`
            failures.append(error)  # ends the others, too

    def _do(self, job_id: str) -> None:
        assert self._run is not None  # set before the first thread starts
        self._run(job_id)
