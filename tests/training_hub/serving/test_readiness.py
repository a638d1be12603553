"""`/readyz` says what is missing."""

from __future__ import annotations

import shutil

import pytest

from tests.support.clips import make_clip
from tests.support.hub import Hub


@pytest.fixture
def sqlite_hub(hub: Hub) -> Hub:
    if hub.backend != "sqlite":
        pytest.skip("its files are taken away")
    return hub


def test_a_hub_that_works_is_ready(hub: Hub) -> None:
    assert hub.anonymous().get("/readyz").status_code == 200


def test_a_store_that_is_gone_is_told_and_nothing_is_written_in_its_place(sqlite_hub: Hub) -> None:
    gateway = sqlite_hub.gateway()
    shutil.rmtree(sqlite_hub.parts.state_dir / "objects")
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the object store does not answer\n")
    answer = make_clip(1).put_file(gateway)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert not (sqlite_hub.parts.state_dir / "objects").exists()


def test_a_database_that_is_gone_is_told(sqlite_hub: Hub) -> None:
    gateway = sqlite_hub.gateway()
    sqlite_hub.parts.database.close()
    for file in sqlite_hub.parts.state_dir.glob("hub.db*"):
        file.unlink()
    (sqlite_hub.parts.state_dir / "hub.db").mkdir()
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the database does not answer\n")
    answer = gateway.post("/api/v1/events/missing", json={"ids": []})
    assert answer.status_code == 503
    assert "hub.db" not in answer.text
