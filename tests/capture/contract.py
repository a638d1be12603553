"""What every source must keep; `test_contract.py` runs it over all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np
import pytest

from edge_agent.capture.source import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ, Block, Source, SourceError

MakeSource = Callable[[], Source]
"""Makes the same source anew each time."""


def check_description(make: MakeSource) -> None:
    source = make()
    assert isinstance(source, Source)
    assert source.source_id
    assert MIN_RATE_HZ <= source.rate_hz <= MAX_RATE_HZ
    assert 1 <= source.channels <= MAX_CHANNELS
    assert isinstance(source.restartable, bool)
    source.close()


def check_blocks(make: MakeSource) -> None:
    source = make()
    blocks = list(islice(source.blocks(), 20))
    source.close()
    assert blocks, "a source that is there gives blocks"
    expected = 0
    for block in blocks:
        assert isinstance(block, Block)
        assert block.samples.dtype == np.float32
        assert block.samples.flags.c_contiguous
        assert block.samples.shape[1] == source.channels
        assert np.isfinite(block.samples).all()
        assert block.first_sample >= expected, "blocks never overlap nor go back"
        expected = block.stop_sample
    assert blocks[0].first_sample == 0
    assert expected == sum(len(block.samples) for block in blocks), "nothing is lost on a machine at rest"


def check_restart(make: MakeSource) -> None:
    source = make()
    first = list(islice(source.blocks(), 3))
    if source.restartable:
        again = list(islice(source.blocks(), 3))
        for one, other in zip(first, again, strict=True):
            assert one.first_sample == other.first_sample
            np.testing.assert_array_equal(one.samples, other.samples)
    else:
        with pytest.raises(SourceError):
            source.blocks()
    source.close()


def check_close(make: MakeSource) -> None:
    source = make()
    source.close()
    source.close()
    with pytest.raises(SourceError):
        source.blocks()


def check_close_while_iterating(make: MakeSource) -> None:
    source = make()
    blocks = source.blocks()
    taken = [next(blocks)]
    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join(10)
    assert not closer.is_alive()
    taken += blocks  # ends, without an error
    for before, after in pairwise(taken):
        assert after.first_sample == before.stop_sample, "closing loses nothing that was captured"
    with pytest.raises(SourceError):
        source.blocks()


CHECKS = (check_description, check_blocks, check_restart, check_close, check_close_while_iterating)
