"""A real PostgreSQL on a free port, thrown away with its directory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.broker import free_port

USER = "hub"
PASSWORD = "only-for-tests-0815"


def find_programs() -> Path | None:
    """The directory with `initdb`; None where PostgreSQL is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))


def require_programs() -> Path:
    """Where PostgreSQL's programs are; without them a test skips, but in CI it fails."""
    found = find_programs()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must run these tests: PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    return found


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server for the block; the URL of an empty database, reached by a socket that asks for no password."""
    server = Postgres(require_programs())
    try:
        server.start()
        yield f"postgresql+psycopg://{USER}@/postgres?host={server.directory}&port={server.port}"
    finally:
        server.stop()


class Postgres:
    """One server. Its data do not survive a power cut, which makes it quick."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.directory = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        self.port = free_port()
        self._as_user: dict[str, object] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            name = "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"
            entry = pwd.getpwnam(name)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
            self._as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def start(self) -> None:
        """Initialise and start."""
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = str(self.directory / "data")
        self._run(
            "initdb",
            "-D",
            data,
            "-U",
            USER,
            "--pwfile",
            str(secret),
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.directory} "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off "
            "-c max_connections=200 -c shared_buffers=64MB"
        )
        self._run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", str(self.directory / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End it, and leave nothing."""
        try:
            self._run("pg_ctl", "-D", str(self.directory / "data"), "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    @contextmanager
    def new_database(self, template: str = "template1") -> Iterator[str]:
        """A database that is gone at the end of the block; its SQLAlchemy URL, without the password."""
        name = f"hub_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """One statement in the server's own database, outside a transaction."""
        place = f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} dbname=postgres"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            check=False, timeout=120, **self._as_user,  # type: ignore[call-overload]  # user and group
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')}"
