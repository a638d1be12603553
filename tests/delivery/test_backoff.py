"""Waits between attempts: doubled, cut at random, capped, and begun anew."""

from __future__ import annotations

import random

from edge_agent.delivery.backoff import Backoff


def test_waits_double_are_capped_and_begin_anew() -> None:
    backoff = Backoff(min_s=1.0, max_s=8.0, jitter=lambda: 0.5)
    assert [backoff.next_s() for _ in range(6)] == [0.75, 1.5, 3.0, 6.0, 6.0, 6.0]
    backoff.reset()
    assert backoff.next_s(at_least_s=4.0) == 3.0
    assert backoff.next_s() == 1.5


def test_waits_of_many_gateways_are_spread_and_never_above_the_cap() -> None:
    random_ = random.Random(1)
    waits_s = []
    for _ in range(500):
        backoff = Backoff(min_s=0.5, max_s=60.0, jitter=random_.random)
        waits_s.append([backoff.next_s() for _ in range(1100)][-1])  # far beyond what doubles without overflow
    assert max(waits_s) <= 60.0
    assert min(waits_s) >= 30.0
    tenths = [sum(30.0 + 3 * k <= wait_s < 33.0 + 3 * k for wait_s in waits_s) for k in range(10)]
    assert min(tenths) > 25  # of 50 expected in each tenth
