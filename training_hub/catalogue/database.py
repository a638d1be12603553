"""The database: SQLite in a file, or PostgreSQL, by one URL."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from training_hub.catalogue.errors import CatalogueError

_BUSY_S = 30.0
_CACHE_KIB = 16_384
_MAPPED_BYTES = 256 << 20
"""Lists of some ten thousand clips are read from memory, not from the file page by page: half the time."""


class Database:
    """Hands out transactions. Any thread; processes may share the database.

    Args:
        url: `sqlite:////var/lib/training-hub/hub.db` or `postgresql+psycopg://user@host/name`; no password in it: that
            is a secret of the settings.
        password: Of the URL's user.
        pool_size: Connections kept.

    Raises:
        CatalogueError: No URL of a database that the hub can use.
    """

    def __init__(self, url: str, *, password: str | None = None, pool_size: int = 10) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise CatalogueError(f"{url!r} is no database URL; such as sqlite:////srv/hub.db") from error
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise CatalogueError(f"{parsed.drivername}: use sqlite or postgresql+psycopg")
        if password is not None:
            parsed = parsed.set(password=password)
        # the connection used last is used next: what it has read before is in its memory
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": pool_size, "pool_use_lifo": True}
        if parsed.get_backend_name() == "sqlite":
            options["connect_args"] = {"timeout": _BUSY_S, "check_same_thread": False}
        else:
            options["pool_pre_ping"] = True  # a server may have been restarted
        self.engine: Engine = create_engine(parsed, **options)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
        self._turn = threading.Lock()
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self, *, writes: bool = True) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back where it raises.

        Args:
            writes: Take SQLite's only writing place at once, for a transaction that reads first and writes later cannot
                wait for it: it fails where another wrote meanwhile.
        """
        alone = writes and self.is_sqlite
        # threads of one process queue here: SQLite's own waiting is sleeping and looking again, up to 0.1 s late
        with self._turn if alone else nullcontext(), self._sessions() as session, session.begin():
            if alone:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read a row or two by: a third of what a session costs."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _set_up_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401  # the driver's own
    connection.isolation_level = None  # transactions are begun by hand, see `transaction`
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={int(_BUSY_S * 1000)}",
                   f"cache_size=-{_CACHE_KIB}", f"mmap_size={_MAPPED_BYTES}"):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
