import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.profile import Profile
from edge_agent.inference.manifest import BundleRef
from tests.detection.sounds import prior, recording

BUNDLE = BundleRef(name="test", version="1.2.3", sha256="0" * 64)


@pytest.fixture(scope="session")
def profile() -> Profile:
    """Machine 0, commissioned on twelve clips for a place without other sounds."""
    clips = [recording(seed) for seed in range(12)]
    budget = AlarmBudget(background_margin=False)
    return commission("fan_1", "fan", clips, prior(), BUNDLE, budget, created_ns=1_700_000_000_000_000_000)
