import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Base
from training_hub.config.server import ServerSection
from training_hub.config.settings import HubSettings
from training_hub.parts import HubParts
from training_hub.sounds.desk import SoundDesk
from training_hub.sounds.upload import Upload
from training_hub.storage.objects import ObjectStore


class NoJobs:
    """Nothing here works for longer than a request."""

    def enqueue(self, session: Session, kind: str, parameters: dict[str, object], *, by: str) -> str:
        raise AssertionError("no job is launched here")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[HubParts]:
    settings = HubSettings(server=ServerSection(state_dir=tmp_path))
    database = Database(f"sqlite:///{tmp_path}/hub.db")
    Base.metadata.create_all(database.engine)
    yield HubParts(settings, database, ObjectStore(f"file://{tmp_path}/objects"), NoJobs())
    database.close()


@pytest.fixture
def desk(parts: HubParts) -> SoundDesk:
    return SoundDesk(parts)


def upload_of(path: Path) -> Upload:
    content = path.read_bytes()
    return Upload(path, path.name, hashlib.sha256(content).hexdigest(), len(content))


def hum(seconds: float, rate_hz: int = 16_000, *, seed: int = 0, whine_hz: float | None = None) -> np.ndarray:
    """A machine's sound: noise with a low hum; a fault whines."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = 0.02 * rng.standard_normal(len(at)) + 0.05 * np.sin(2 * np.pi * 120 * at + rng.uniform(0, 6))
    if whine_hz is not None:
        sound += 0.05 * np.sin(2 * np.pi * whine_hz * at)
    return sound.astype(np.float32)
