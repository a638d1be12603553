import pytest

from tests.support.hub import Hub
from training_hub.catalogue.database import Database


@pytest.fixture
def database(hub: Hub) -> Database:
    return hub.parts.database
