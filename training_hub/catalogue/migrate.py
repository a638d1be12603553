"""Brings a database to the tables of this version."""

from importlib import resources

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from training_hub.catalogue.database import Database

_LOCK = 0x6D616368696E65  # any number that nobody else locks: hubs that start at once migrate one after the other


def migrations(**attributes: object) -> Config:
    """Alembic's configuration, with what `migrations/env.py` looks for."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("training_hub.catalogue") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def migrate(database: Database) -> None:
    """Apply what is missing, in one transaction; several processes may call it at once.

    Raises:
        alembic.util.CommandError: The database is of a newer version than this software.
    """
    with database.transaction() as session:
        if not database.is_sqlite:  # there `transaction` has taken the only writing place already
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(migrations(connection=session.connection()), "head")
