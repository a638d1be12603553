"""A hub's parts on both backends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import running_postgres
from training_hub.catalogue.tables import Base
from training_hub.config.jobs import JobsSection
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.config.storage import StorageSection
from training_hub.opening import open_parts
from training_hub.parts import HubParts


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with running_postgres() as url:
        yield url


@pytest.fixture
def settings(database_url: str | None, tmp_path: Path) -> HubSettings:
    """Of a hub that notices within a second what takes a minute otherwise."""
    return HubSettings(
        server=ServerSection(state_dir=tmp_path / "state"),
        storage=StorageSection(database_url=database_url),
        jobs=JobsSection(poll_s=0.05, beat_s=0.1, silent_for_s=2.0, cancel_grace_s=0.5),
    )


@pytest.fixture
def parts(settings: HubSettings) -> Iterator[HubParts]:
    """With empty tables."""
    with open_parts(settings, os.environ) as opened:
        Base.metadata.drop_all(opened.database.engine)
        Base.metadata.create_all(opened.database.engine)
        yield opened
