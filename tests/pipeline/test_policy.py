"""Which windows are scored: a table."""

import numpy as np
import pytest

from edge_agent.detection.features import WindowFeatures
from edge_agent.pipeline.policy import ScorePolicy, Unscorable
from edge_agent.pipeline.window import AnalysedWindow

_NONE = np.empty((0, 0), np.float32)


def _window(index: int, duration_s: float, coverage: float, frames: int = 10) -> AnalysedWindow:
    features = WindowFeatures(np.zeros((frames, 128), np.float32), _NONE, _NONE)
    return AnalysedWindow(index, 0, 1, 1, 0.0, duration_s, coverage, features, None)


@pytest.mark.parametrize(
    ("index", "duration_s", "coverage", "frames", "expected"),
    [
        pytest.param(3, 10.0, 1.0, 311, None, id="whole window"),
        pytest.param(3, 10.0, 0.8, 200, None, id="just enough"),
        pytest.param(3, 10.0, 0.79, 200, Unscorable.LOW_COVERAGE, id="too much lost"),
        pytest.param(1, 1.0, 1.0, 30, Unscorable.TAIL, id="rest of an 11 s file"),
        pytest.param(1, 9.0, 1.0, 280, None, id="long rest"),
        pytest.param(0, 2.0, 1.0, 60, None, id="short recording"),
        pytest.param(0, 0.4, 1.0, 10, Unscorable.TAIL, id="too short for anything"),
        pytest.param(0, 2.0, 0.5, 20, Unscorable.LOW_COVERAGE, id="short and full of holes"),
        pytest.param(0, 10.0, 0.9, 0, Unscorable.LOW_COVERAGE, id="no whole frame"),
    ],
)
def test_policy(index: int, duration_s: float, coverage: float, frames: int, expected: Unscorable | None) -> None:
    assert ScorePolicy().reject(_window(index, duration_s, coverage, frames)) is expected
