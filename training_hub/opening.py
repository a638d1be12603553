"""From settings to the hub's parts: for `serve`, for workers, and for the processes that workers start."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge_agent.settings.secret import SecretFile
from training_hub.catalogue.database import Database
from training_hub.catalogue.errors import CatalogueError
from training_hub.config.settings import HubSettings
from training_hub.jobs.opening import open_queue
from training_hub.parts import HubParts
from training_hub.storage.objects import ObjectStore


@contextmanager
def open_parts(settings: HubSettings, environ: Mapping[str, str]) -> Iterator[HubParts]:
    """The hub's parts, closed at the end of the block.

    Args:
        settings: As loaded.
        environ: The environment, where systemd says where credentials lie.

    Raises:
        CatalogueError, StorageError, JobError, SecretFileError: A part cannot be opened.
    """
    database = database_of(settings, environ)
    try:
        objects = ObjectStore(objects_url(settings), store_options(settings, environ))
        queue = open_queue(settings, database)
        try:
            yield HubParts(settings, database, objects, queue)
        finally:
            queue.close()
    finally:
        database.close()


def database_of(settings: HubSettings, environ: Mapping[str, str]) -> Database:
    """The catalogue alone; the caller closes it.

    Raises:
        CatalogueError, SecretFileError: It cannot be opened.
    """
    make_state_dir(settings.server.state_dir)
    return Database(database_url(settings), password=_secret(settings.storage.database_password_file, environ))


def make_state_dir(state_dir: Path) -> None:
    """Make the state directory, for its owner alone.

    Raises:
        CatalogueError: It cannot be made.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CatalogueError(
            f"state directory {state_dir} cannot be made: {error.strerror}; set server.state_dir or --state-dir"
        ) from error


def database_url(settings: HubSettings) -> str:
    """The catalogue's URL: as set, or SQLite in the state directory."""
    return settings.storage.database_url or f"sqlite:///{settings.server.state_dir.absolute() / 'hub.db'}"


def objects_url(settings: HubSettings) -> str:
    """The object store's URL: as set, or a folder in the state directory."""
    return settings.storage.objects_url or (settings.server.state_dir.absolute() / "objects").as_uri()


def store_options(settings: HubSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """What an S3 client must know beside the URL.

    Raises:
        SecretFileError: A secret cannot be read.
    """
    storage = settings.storage
    options = {"region": storage.s3_region}
    if storage.s3_endpoint is not None:
        options["endpoint"] = storage.s3_endpoint
        if storage.s3_endpoint.startswith("http://"):
            options["allow_http"] = "true"
    secrets = {
        "access_key_id": storage.s3_access_key_id_file,
        "secret_access_key": storage.s3_secret_access_key_file,
    }
    for name, file in secrets.items():
        if (value := _secret(file, environ)) is not None:
            options[name] = value
    return options


def _secret(file: SecretFile | None, environ: Mapping[str, str]) -> str | None:
    return None if file is None else file.read(environ).get_secret_value()
