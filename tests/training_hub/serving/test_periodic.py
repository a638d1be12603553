"""What is done from time to time goes on after a failure, and ends when it is told to."""

from __future__ import annotations

import threading

import pytest

from tests.support.broker import wait_until
from tests.support.hub import Hub
from training_hub.companions import discover
from training_hub.errors import HubError
from training_hub.serving.periodic import Periodic


def test_it_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    rounds: list[int] = []

    def work(stop: threading.Event) -> None:
        assert not stop.is_set()
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise HubError("the disk is full")

    periodic = Periodic("the sweeper", work, first_s=0.0, every_s=0.01, again_s=0.01)
    periodic.start()
    wait_until(lambda: len(rounds) >= 3, 30, "three rounds")
    assert periodic.alive()
    periodic.stop()
    assert not periodic.alive()
    assert "the sweeper failed; trying again" in caplog.text and "the disk is full" in caplog.text


def test_the_end_is_told_to_what_is_under_way() -> None:
    begun, told = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(30)
        told.set()

    periodic = Periodic("the sweeper", work, first_s=0.0, every_s=3600.0)
    periodic.start()
    assert begun.wait(30)
    periodic.stop()
    assert told.is_set()


def test_a_defect_ends_it_which_readyz_tells() -> None:
    def work(_stop: threading.Event) -> None:
        raise ValueError("a defect")

    periodic = Periodic("the sweeper", work, first_s=0.0, every_s=3600.0)
    before, threading.excepthook = threading.excepthook, lambda _args: None
    try:
        periodic.start()
        wait_until(lambda: not periodic.alive(), 30, "its end")
    finally:
        threading.excepthook = before


def test_a_hub_does_so_with_orphans_and_what_is_old(hub: Hub) -> None:
    assert {"the retention", "the collector of orphans"} <= {one.name for one in discover(hub.parts, {})}
