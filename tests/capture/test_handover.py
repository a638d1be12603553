from __future__ import annotations

import numpy as np
import pytest

from edge_agent.capture.handover import HandOver
from edge_agent.capture.source import Block, SourceError


def block(first: int) -> Block:
    return Block(np.zeros((10, 1), dtype=np.float32), first)


def test_what_does_not_fit_is_refused_and_what_was_accepted_is_handed_out() -> None:
    handover = HandOver(2)
    assert [handover.put(block(first)) for first in (0, 10, 20)] == [True, True, False]
    handover.put_last(block(30))
    handover.finish(SourceError("gone"))
    assert not handover.put(block(40))
    assert [handover.get().first_sample for _ in range(3)] == [0, 10, 30]  # type: ignore[union-attr]  # never None
    with pytest.raises(SourceError, match="gone"):
        handover.get()


def test_first_end_counts() -> None:
    handover = HandOver(1)
    handover.finish()
    handover.finish(SourceError("late"))
    assert handover.get() is None


def test_a_reader_that_gives_nothing_is_noticed() -> None:
    with pytest.raises(TimeoutError):
        HandOver(1).get(timeout_s=0.01)
