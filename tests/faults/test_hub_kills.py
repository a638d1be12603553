"""The short form of `tests.faults.hub_chaos`; `make soak` runs fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hub_chaos import run


@pytest.mark.end_to_end
def test_a_killed_hub_lists_nothing_partial_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    chaos = run(tmp_path, kills=3)
    assert chaos.kills == 3
    assert len(chaos.acknowledged) >= 3
    assert (chaos.lost, chaos.partial) == ([], [])
