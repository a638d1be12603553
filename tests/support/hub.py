"""A hub as its users meet it, on SQLite and a folder or on PostgreSQL and Ceph; clients of every role and of gateways.

`HUB_TEST_BACKENDS=sqlite,postgres` says on which each test that takes the fixture `hub` runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from edge_agent.settings.secret import SecretFile
from tests.support.filled import Filling, fill
from training_hub.accounts.gate import CSRF_HEADER
from training_hub.accounts.gateways import add_gateway, new_gateway_key
from training_hub.accounts.passwords import Passwords
from training_hub.accounts.people import add_key, add_user, find_user, role_of
from training_hub.accounts.visits import open_visit
from training_hub.api.app import make_app
from training_hub.catalogue.migrate import migrate
from training_hub.config.accounts import AccountsSection
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.config.storage import StorageSection
from training_hub.opening import open_parts
from training_hub.parts import HubParts

BACKENDS = tuple(os.environ.get("HUB_TEST_BACKENDS", "sqlite").split(","))
PASSWORD = "correct horse battery staple"

_password_hash = Passwords().hash(PASSWORD)  # slow by design: once for all accounts of a run


@dataclass
class Hub:
    """One hub on an empty catalogue.

    Attributes:
        parts: Its settings, database, store.
        app: The ASGI app.
        backend: `sqlite` or `postgres`.
    """

    parts: HubParts
    app: FastAPI
    backend: str
    _stack: ExitStack = field(default_factory=ExitStack)
    _people: set[str] = field(default_factory=set)
    _gateways: set[tuple[str, str]] = field(default_factory=set)

    def anonymous(self) -> TestClient:
        """Somebody who has not logged in."""
        return self._stack.enter_context(TestClient(self.app, raise_server_exceptions=False))

    def person(self, role: str = "admin") -> TestClient:
        """A person of this role, named after it, logged in as a browser is; its changes carry the CSRF token."""
        self.add_person(role)
        client = self.anonymous()
        with self.parts.database.transaction() as session:
            visit = open_visit(session, find_user(session, role), hours=1.0)
        client.cookies.set("training_hub_session", visit.secret)
        client.cookies.set("training_hub_csrf", visit.csrf_token)
        client.headers[CSRF_HEADER] = visit.csrf_token
        return client

    def script(self, role: str = "admin") -> TestClient:
        """A script with a key of a person of this role."""
        self.add_person(role)
        with self.parts.database.transaction() as session:
            key = add_key(session, role, by="hub")
        client = self.anonymous()
        client.headers["Authorization"] = f"Bearer {key.text}"
        return client

    def gateway(self, site: str = "plant_1", name: str = "gw_1", ring: str = "main") -> TestClient:
        """A gateway with its key."""
        client = self.anonymous()
        client.headers["Authorization"] = f"Bearer {self.gateway_key(site, name, ring)}"
        return client

    def add_person(self, role: str) -> None:
        """Make the account of a role, once."""
        if role not in self._people:
            self._people.add(role)
            with self.parts.database.transaction() as session:
                add_user(session, role, role_of(role), password_hash=_password_hash, by="hub")

    def gateway_key(self, site: str = "plant_1", name: str = "gw_1", ring: str = "main") -> str:
        """Another key of a gateway, which is made where it is not known."""
        with self.parts.database.transaction() as session:
            if (site, name) not in self._gateways:
                self._gateways.add((site, name))
                add_gateway(session, site, name, ring=ring, by="hub")
            return new_gateway_key(session, site, name, keep_old=True, by="hub").text

    def fill(self, clips: int = 10_000, **filling: int) -> list[str]:
        """Fill the catalogue quickly, see `Filling`; the clips' ids, the oldest first."""
        return fill(self.parts, Filling(clips=clips, **filling))

    def close(self) -> None:
        """End its clients."""
        self._stack.close()


@contextmanager
def hub_on(
    backend: str, directory: Path, request: pytest.FixtureRequest, accounts: AccountsSection | None = None
) -> Iterator[Hub]:
    """A hub on one backend; gone at the end of the block."""
    with ExitStack() as stack:
        settings = HubSettings(
            server=ServerSection(state_dir=directory / "hub", port=0),
            storage=stack.enter_context(_storage(backend, directory, request)),
            accounts=accounts or AccountsSection(logins_per_minute=1000),
        )
        parts = stack.enter_context(open_parts(settings, {}))
        migrate(parts.database)
        hub = Hub(parts, make_app(parts), backend)
        stack.callback(hub.close)
        yield hub


def write_secret(path: Path, text: str) -> SecretFile:
    """A file that only its owner reads."""
    path.write_text(text)
    path.chmod(0o600)
    return SecretFile(str(path))


@contextmanager
def _storage(backend: str, directory: Path, request: pytest.FixtureRequest) -> Iterator[StorageSection]:
    if backend == "sqlite":
        yield StorageSection()
        return
    assert backend == "postgres", f"HUB_TEST_BACKENDS names {backend!r}; sqlite and postgres are known"
    from tests.support import ceph, postgres

    server: postgres.Postgres = request.getfixturevalue("postgres")
    store: ceph.Ceph = request.getfixturevalue("ceph")
    with server.new_database() as url:
        yield StorageSection(
            database_url=url,
            database_password_file=write_secret(directory / "database_password", postgres.PASSWORD),
            objects_url=f"s3://{ceph.BUCKET}/{url.rpartition('/')[2]}",
            s3_endpoint=store.endpoint,
            s3_region=ceph.REGION,
            s3_access_key_id_file=write_secret(directory / "s3_access_key_id", ceph.ACCESS_KEY_ID),
            s3_secret_access_key_file=write_secret(directory / "s3_secret_access_key", ceph.SECRET_ACCESS_KEY),
        )
