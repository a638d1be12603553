"""What the page's board keeps."""

import tracemalloc

import numpy as np

from edge_agent.web.board import Board
from tests.web.pages import window

FRAMES = (312, 128)


def test_a_machine_takes_the_memory_of_its_spectrogram_alone() -> None:
    board = Board(("pump_1",))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for index in range(40):
        board.window(window(index=index, log_mel_db=np.full(FRAMES, -40.0, np.float32)))
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert len(board.windows("pump_1")) == 30
    found = board.frames("pump_1")
    assert found is not None and found.shape == (6 * FRAMES[0], FRAMES[1])
    assert found.min() == found.max() == -40.0
    assert kept < 1.5 * 2 * found.size  # two bytes a value, and some words
