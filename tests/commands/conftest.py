"""A machine that is commissioned once, and a shell."""

from pathlib import Path

import pytest

from edge_agent import cli
from tests.support.agent import BUNDLE, Shell, machine_sound, write_sound


@pytest.fixture(scope="session")
def commissioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which the machine `press` is commissioned, from twelve recordings beside it."""
    root = tmp_path_factory.mktemp("commissioned")
    for seed in range(12):
        write_sound(root / "normal" / f"{seed:02}.wav", machine_sound(10.0, seed=seed))
    state = root / "state"
    words = ["commission", "--machine", "press", "--from", root / "normal", "--bundle", BUNDLE, "--state-dir", state]
    assert cli.main([str(word) for word in words]) == 0
    return state


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)
