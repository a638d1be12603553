"""Wrong passwords are counted by all processes of all hubs together, and forgotten in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi.testclient import TestClient
from sqlalchemy import update

from tests.support.hub import PASSWORD, Hub
from training_hub.accounts.attempts import OPENED, REFUSED, subject_of, wait_for_address, wait_for_name
from training_hub.api.app import make_app
from training_hub.catalogue.tables import AuditEntry
from training_hub.catalogue.types import utc_now

ME = "/api/v1/session"


def _log_in(client: TestClient, password: str) -> int:
    return client.post(ME, json={"name": "viewer", "password": password}).status_code


def test_processes_count_together(hub: Hub) -> None:
    """Two apps on one catalogue: as many free attempts as one has, and the wait holds at both."""
    hub.add_person("viewer")
    with TestClient(make_app(hub.parts)) as first, TestClient(make_app(hub.parts)) as second:
        statuses = [_log_in((first, second)[n % 2], f"guess number {n}") for n in range(6)]
        assert statuses == [401] * 6
        assert [_log_in(client, PASSWORD) for client in (first, second)] == [429, 429]
        with hub.parts.database.transaction() as session:  # the wait is over
            old = utc_now() - timedelta(seconds=30)
            session.execute(update(AuditEntry).where(AuditEntry.action == REFUSED).values(at=old))
        assert _log_in(second, PASSWORD) == 200
        statuses = [_log_in((first, second)[n % 2], f"guess number {n}") for n in range(6)]
        assert statuses == [401] * 6, "a right one begins anew"


def _tell(hub: Hub, action: str, *at: datetime, name: str = "anna", address: str = "10.0.0.1") -> None:
    with hub.parts.database.transaction() as session:
        session.add_all(
            AuditEntry(actor="nobody", action=action, subject=subject_of(name), detail={}, address=address, at=one)
            for one in at
        )


def test_the_wait_grows_and_is_of_a_name_from_an_address(hub: Hub) -> None:
    now = utc_now()
    _tell(hub, REFUSED, *(now - timedelta(seconds=60 - n) for n in range(8)))
    _tell(hub, REFUSED, now, address="10.0.0.2")
    _tell(hub, REFUSED, *(now - timedelta(days=2) for _ in range(50)), name="olga")
    _tell(hub, REFUSED, *(now + timedelta(days=300) for _ in range(50)), name="otto")

    def wait(name: str, address: str = "10.0.0.1", later_s: float = 0.0) -> float:
        with hub.parts.database.transaction(writes=False) as session:
            return wait_for_name(session, name, address, free=5, now=now + timedelta(seconds=later_s))

    assert wait("anna", later_s=-52) == 3.0  # the eighth, three beyond the free ones: 4 s from the moment of it
    assert wait("anna") == 0.0
    assert wait("anna", "10.0.0.2") == 0.0
    assert wait("olga") == 0.0, "forgotten after a day"
    assert wait("otto") == 0.0, "a clock that was wrong keeps nobody out"
    _tell(hub, OPENED, now)
    _tell(hub, REFUSED, now)
    assert wait("anna") == 0.0


def test_an_address_has_so_many_attempts_a_minute(hub: Hub) -> None:
    now = utc_now()
    _tell(hub, REFUSED, *(now - timedelta(seconds=10 * n) for n in range(5)), name="a")
    _tell(hub, OPENED, now - timedelta(seconds=55), name="b")
    with hub.parts.database.transaction(writes=False) as session:
        waits = {most: wait_for_address(session, "10.0.0.1", most=most, now=now) for most in (1, 3, 6, 7)}
        assert waits == {1: 60.0, 3: 40.0, 6: 5.0, 7: 0.0}
        assert wait_for_address(session, "10.0.0.9", most=1, now=now) == 0.0
