"""What no microphone gives never reaches the windows, and is booked all the same."""

import numpy as np
import pytest

from edge_agent.agent.hearing.booked import BookedChannel
from edge_agent.capture.ledger import SampleLedger
from edge_agent.capture.reasons import Skipped
from edge_agent.pipeline.window import WindowShape
from edge_agent.signal.settings import SignalSettings


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -1e6, 101.0])
def test_absurd_sample_costs_its_block_and_is_booked(value: float) -> None:
    ledger = SampleLedger("press", 0)
    channel = BookedChannel(SignalSettings(), WindowShape(2.1, 2.1), 16_000, ledger)
    block = np.zeros(1_600, np.float32)
    channel.push(block, 0)
    block = block.copy()
    block[7] = value
    channel.push(block, 1_600)
    books = ledger.snapshot()
    assert (books.skipped[Skipped.INVALID_SAMPLE], books.pending, books.balance) == (1_600, 1_600, 0)


def test_loud_is_not_absurd() -> None:
    ledger = SampleLedger("press", 0)
    channel = BookedChannel(SignalSettings(), WindowShape(2.1, 2.1), 16_000, ledger)
    channel.push(np.full(1_600, 2.0, np.float32), 0)
    assert ledger.snapshot().pending == 1_600
