from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.capture.pace import NS_PER_S, LossMeter

RATE_HZ = 16_000
BLOCK = 1_600


def run(
    seconds: float,
    losses: dict[float, int],
    *,
    drift: float = 0.0,
    jitter_s: float = 0.0,
    flagged: bool = False,
    seed: int = 0,
) -> int:
    """What is reported of a device that loses `losses[time_s]` samples at those times, all in all."""
    rng = np.random.default_rng(seed)
    meter = LossMeter(RATE_HZ)
    reported, given_samples, lost, pending = 0, 0, 0, dict(losses)
    for _ in range(int(seconds * RATE_HZ / BLOCK)):
        given_samples += BLOCK
        due_s = (given_samples + lost) / (RATE_HZ * (1 + drift))
        overflowed = False
        for time_s in [t for t in pending if t <= due_s]:
            lost += pending.pop(time_s)
            overflowed = flagged
            due_s = (given_samples + lost) / (RATE_HZ * (1 + drift))
        read_ns = round((due_s + rng.uniform(0, jitter_s)) * NS_PER_S)
        reported += meter.observe(given_samples, 0, read_ns, overflowed=overflowed)
    return reported


@pytest.mark.parametrize("drift", [-1e-3, -1e-4, 0.0, 1e-4, 9e-4])
def test_drift_and_jitter_are_no_loss(drift: float) -> None:
    assert run(600, {}, drift=drift, jitter_s=0.05) == 0


@pytest.mark.parametrize("flagged", [False, True])
@pytest.mark.parametrize("lost_s", [0.1, 0.25, 1.3, 30.0])
def test_loss_is_told_with_its_length(lost_s: float, flagged: bool) -> None:
    lost = round(lost_s * RATE_HZ)
    assert run(60, {20.0: lost}, jitter_s=0.02, flagged=flagged) == pytest.approx(lost, abs=0.01 * RATE_HZ)


def test_many_small_losses_add_up() -> None:
    losses = {10.0 + k: 320 for k in range(100)}
    assert run(150, losses) == pytest.approx(100 * 320, rel=0.15)


def test_many_losses_are_not_over_counted() -> None:
    losses = {10.0 + 5 * k: 8_000 for k in range(50)}
    assert run(300, losses, jitter_s=0.04, drift=1e-4) == pytest.approx(50 * 8_000, rel=0.01)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.0, 0.05), st.integers(0, 1000))
def test_late_reads_that_lose_nothing_count_nothing(jitter_s: float, seed: int) -> None:
    assert run(60, {}, jitter_s=jitter_s, seed=seed) == 0


def test_reader_that_paused_and_caught_up_lost_nothing() -> None:
    meter = LossMeter(RATE_HZ)
    reported = 0
    for k in range(1, 300):
        due_s = k * 0.1
        read_s = max(due_s, 15.9) if 15.0 < due_s < 15.9 else due_s
        left = max(0, round((read_s - due_s) * RATE_HZ))
        reported += meter.observe(k * BLOCK, left, round(read_s * NS_PER_S))
    assert reported == 0


def test_admitted_loss_counts_at_once() -> None:
    meter = LossMeter(RATE_HZ)
    assert meter.observe(BLOCK, 0, NS_PER_S // 10, overflowed=True) == 1
