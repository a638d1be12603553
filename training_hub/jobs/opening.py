"""The queue that the settings ask for."""

from training_hub.catalogue.database import Database
from training_hub.config.settings import HubSettings
from training_hub.jobs.errors import JobError
from training_hub.jobs.queue import HubQueue

_FILE = "jobs.db"


def open_queue(settings: HubSettings, database: Database) -> HubQueue:
    """The queue: huey beside SQLite, procrastinate in PostgreSQL, unless the settings say otherwise.

    Raises:
        JobError: The queue cannot be had with this database, or not be reached.
    """
    backend = settings.jobs.backend
    if backend == "auto":
        backend = "huey" if database.is_sqlite else "procrastinate"
    if backend == "huey":
        from training_hub.jobs.huey_queue import HueyQueue  # noqa: PLC0415  # only what is used is loaded

        return HueyQueue(settings.server.state_dir / _FILE)
    if database.is_sqlite:
        raise JobError("jobs.backend procrastinate needs PostgreSQL; set storage.database_url, or leave it auto")
    from training_hub.jobs.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415

    return ProcrastinateQueue(database.engine)
