"""Fixtures of the hub's tests: a conftest.py imports what its directory needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ceph import Ceph, missing_program
from tests.support.hub import BACKENDS, Hub, hub_on
from tests.support.postgres import Postgres, require_programs

_PARAMETERS = [
    # one process has them all: two Cephs and two PostgreSQLs would take what the tests need
    pytest.param(backend, marks=[pytest.mark.xdist_group("hub_postgres")] if backend == "postgres" else [])
    for backend in BACKENDS
]


def _absent(reason: str) -> None:
    """A machine without a real part skips what needs it; CI must have it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run these tests: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole run."""
    server = Postgres(require_programs())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    """A Ceph for the whole run."""
    if (name := missing_program()) is not None:
        _absent(f"Ceph is not installed ({name})")
    cluster = Ceph()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(params=_PARAMETERS)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hub]:
    """An empty hub, on each backend of HUB_TEST_BACKENDS."""
    with hub_on(request.param, tmp_path, request) as made:
        yield made
