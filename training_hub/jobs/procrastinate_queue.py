"""Jobs told through procrastinate in PostgreSQL: workers on several machines, woken by LISTEN."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from training_hub.jobs.errors import JobError
from training_hub.jobs.queue import HubQueue, Run

# Its tables lie in a schema of their own, named after its version: another version begins with an empty one (which
# the next sweep fills), and the catalogue's migrations never see them.
_SCHEMA = "hub_jobs_" + "_".join(part for part in procrastinate.__version__.split(".")[:3] if part.isdigit())
_LOCK = 0x6D736A
_TASK = "run_job"
_QUEUE = "hub"


class ProcrastinateQueue(HubQueue):
    """Jobs told through procrastinate, in the catalogue's own database.

    Args:
        engine: The catalogue's.

    Raises:
        JobError: The database cannot be reached, or refuses procrastinate's tables.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        _, arguments = engine.dialect.create_connect_args(engine.url)
        arguments.pop("context", None)  # SQLAlchemy's own
        options = f"{arguments.pop('options', '')} -c search_path={_SCHEMA}".strip()
        self._conninfo = make_conninfo(**arguments, options=options)
        self._set_up()
        self._app = procrastinate.App(
            connector=procrastinate.SyncPsycopgConnector(conninfo=self._conninfo, min_size=0, max_size=4)
        )
        self._app.open()

    def tell(self, job_ids: Iterable[str]) -> None:
        """Have workers take these jobs up."""
        try:
            for job_id in job_ids:
                # the lock holds while the entry waits: a second one of the same job is refused
                with suppress(AlreadyEnqueued):
                    self._app.configure_task(_TASK, allow_unknown=True, queue=_QUEUE, queueing_lock=job_id).defer(
                        job_id=job_id
                    )
        except ProcrastinateException as error:
            raise JobError(f"no worker can be told of a job: {_why(error)}") from error

    def work(self, run: Run, stop: threading.Event, *, slots: int, poll_s: float) -> None:
        """Run jobs as they come until `stop` is set and those running have returned."""
        try:
            asyncio.run(self._work(run, stop, slots, poll_s))
        except (ProcrastinateException, psycopg.Error) as error:
            raise JobError(f"the queue cannot be worked off: {_why(error)}") from error

    def close(self) -> None:
        """Close the connections."""
        self._app.close()

    async def _work(self, run: Run, stop: threading.Event, slots: int, poll_s: float) -> None:
        connector = procrastinate.PsycopgConnector(conninfo=self._conninfo, min_size=1, max_size=slots + 3)
        app = procrastinate.App(connector=connector)

        @app.task(name=_TASK, queue=_QUEUE)
        def run_job(job_id: str) -> None:
            run(job_id)

        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[_QUEUE],
                    concurrency=slots,
                    fetch_job_polling_interval=poll_s,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            while not stop.is_set() and not worker.done():
                await asyncio.sleep(0.2)
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    def _set_up(self) -> None:
        """Make procrastinate's tables where they are not there yet; many processes may start at once."""
        schema = procrastinate.schema.SchemaManager.get_schema()
        try:
            with psycopg.connect(self._conninfo) as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)))
                found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
                if found is None or found[0] is None:
                    connection.execute(schema)
        except psycopg.Error as error:
            raise JobError(f"the queue's tables cannot be made in schema {_SCHEMA}: {error}") from error


def _why(error: Exception) -> str:
    """In one line; procrastinate's own errors say what happened in their cause alone."""
    return " ".join(str(error.__cause__ or error).split())
