"""A migrated database has the tables of the code, whoever migrates it and however many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from tests.support.hub import Hub
from training_hub.catalogue.database import Database
from training_hub.catalogue.migrate import migrate, migrations
from training_hub.catalogue.tables import Base, User


def test_models_and_migrated_schema_are_the_same(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": _same_type})
        differences = compare_metadata(context, Base.metadata)
    assert differences == [], 'write a migration: python -m training_hub.catalogue.revise "what changes"'


def _same_type(_context: object, _column: object, _meta: object, inspected: object, wanted: object) -> bool | None:
    if type(wanted).__name__ == "UtcTime":
        return type(inspected).__name__ not in ("DATETIME", "TIMESTAMP")
    return None


def test_there_is_one_line_of_migrations() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(migrations())
    assert len(scripts.get_heads()) == 1
    assert all(len(script.revision) <= 32 for script in scripts.walk_revisions()), (
        "Alembic's table holds no longer name"
    )


def test_migrating_again_changes_nothing(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        session.add(User(name="anna", role="viewer"))
    migrate(hub.parts.database)
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalar(text("SELECT count(*) FROM users")) == 1


def test_hubs_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'hub.db'}") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, database) for database in databases]:
            done.result()
    with databases[0].transaction(writes=False) as session:
        assert session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for database in databases:
        database.close()
