"""A PostgreSQL server of its own, in a temporary directory, gone at the end of the block."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_USER = "postgres"
_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database, reached by a socket; a root user runs the server as `postgres`, as it refuses root.

    Skips where there is no PostgreSQL, but not in CI.
    """
    if not _FOUND:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    as_user = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", _USER, "--"]
        shutil.chown(directory, _USER)
    data = directory / "data"
    options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off -c max_connections=60"
    control = [*as_user, str(_FOUND[-1] / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
    try:
        _run([*as_user, str(_FOUND[-1] / "initdb"), "-D", str(data), "-A", "trust", "-U", _USER, "--no-sync"])
        _run([*control, "-l", str(directory / "log"), "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://{_USER}@/postgres?host={directory}"
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
