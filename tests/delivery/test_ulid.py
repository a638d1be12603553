from __future__ import annotations

import re
import threading

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.delivery.ulid import ULID_PATTERN, UlidFactory, encode_ulid


@given(st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=50), st.binary(min_size=10, max_size=10))
def test_ids_grow_however_the_clock_jumps(times_ms: list[int], randomness: bytes) -> None:
    clock = iter(times_ms)
    ulids = UlidFactory(now_ms=lambda: next(clock), randomness=lambda n: randomness[:n])
    ids = [ulids() for _ in times_ms]
    if times_ms.count(2**48 - 1) == 0:
        assert ids == sorted(set(ids))
        assert all(re.match(ULID_PATTERN, each) for each in ids)


def test_random_bits_that_run_over_move_the_time_on() -> None:
    ulids = UlidFactory(now_ms=lambda: 5, randomness=lambda n: b"\xff" * n)
    assert [ulids(), ulids()] == [encode_ulid((6 << 80) - 1), encode_ulid(6 << 80)]


def test_threads_never_get_the_same() -> None:
    ulids = UlidFactory(now_ms=lambda: 1, randomness=bytes)
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.extend(ulids() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 2000
