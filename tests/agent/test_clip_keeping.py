"""Clips in a running agent: what a change of models means for what is novel."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.clips.keeping import ClipKeeping
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from tests.agent.alarming.desk import BUNDLE, Desk
from tests.support.windows import event, heard

OTHER = BundleRef(name="default", version="2.0.0", sha256="b" * 64)


@pytest.fixture
def keeping(tmp_path: Path) -> ClipKeeping:
    desk = Desk(state_dir=tmp_path)
    settings = AgentSettings.model_validate(
        {
            "machine": [{"id": "fan_1", "type": "fan"}],
            "source": [{"id": "mic", "kind": "simulated", "channel": [{"machine": "fan_1"}]}],
            "clips": {"random_per_day": 0, "uncertain_per_day": 0, "min_free_bytes": 0},
        }
    )
    made = ClipKeeping(
        settings,
        state_dir=tmp_path,
        bundle=BUNDLE,
        new_id=UlidFactory(now_ms=lambda: desk.clock.wall_ns() // 1_000_000, randomness=bytes),
        clock=desk.clock,
        metrics=desk.metrics,
        health=desk.health,
        behind=lambda: False,
        alarms=desk.desk,
    )
    made.tap("mic", 0, 16_000).push(np.zeros(60 * 16_000, np.float32))
    return made


def test_another_model_knows_nothing_of_what_was_novel_to_the_one_before(keeping: ClipKeeping) -> None:
    alarms = AlarmMachine(AlarmBudget())

    def is_kept(index: int) -> bool:
        quiet = event("mic", index, heard("fan_1", index, None, alarms))
        features = replace(quiet.window.features, embeddings=np.ones((8, 16), np.float32))
        return keeping.window(replace(quiet, window=replace(quiet.window, features=features))) is not None

    assert [is_kept(0), is_kept(1)] == [True, False]
    keeping.uses(BUNDLE)
    assert not is_kept(2), "the same models"
    keeping.uses(OTHER)
    assert [is_kept(3), is_kept(4)] == [True, False]
