import hashlib
from pathlib import Path

import pytest

from tests.support.hub import Hub
from training_hub.parts import HubParts
from training_hub.sounds.desk import SoundDesk
from training_hub.sounds.upload import Upload


@pytest.fixture
def parts(hub: Hub) -> HubParts:
    return hub.parts


@pytest.fixture
def desk(parts: HubParts) -> SoundDesk:
    return SoundDesk(parts)


def upload_of(path: Path) -> Upload:
    content = path.read_bytes()
    return Upload(path, path.name, hashlib.sha256(content).hexdigest(), len(content))
