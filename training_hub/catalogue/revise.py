"""Writes a migration: what leads from the last one to `tables.py` as it stands.

`python -m training_hub.catalogue.revise "jobs count their attempts"`; read what it wrote before it is committed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from training_hub.catalogue.database import Database
from training_hub.catalogue.migrate import migrate, migrations


def main(arguments: list[str] | None = None) -> int:
    """Write the next migration; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("message", help="what changes, in a few words")
    message: str = parser.parse_args(arguments).message
    number = len(list(ScriptDirectory.from_config(migrations()).walk_revisions())) + 1
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'hub.db'}")
        try:
            migrate(database)
            with database.transaction() as session:
                config = migrations(connection=session.connection())
                config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
                command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        finally:
            database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
