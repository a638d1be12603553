from collections.abc import Iterator
from pathlib import Path

import pytest

from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Base


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/hub.db")
    Base.metadata.create_all(made.engine)
    yield made
    made.close()
