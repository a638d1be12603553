"""Answers are made once for as long as they hold."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from training_hub.web.revised import RevisedCache


class Maker:
    """Makes an answer, and counts."""

    def __init__(self, size: int = 1) -> None:
        self.made = 0
        self._size = size

    def __call__(self) -> bytes:
        self.made += 1
        return str(self.made).encode() * self._size


def may_wait(_former: object) -> bool:
    return True


def _cache(most_bytes: int = 100) -> tuple[RevisedCache, list[float]]:
    clock = [1000.0]
    return RevisedCache(most_bytes=most_bytes, fresh_s=60, most_age_s=600, now_s=lambda: clock[0]), clock


def test_an_answer_holds_as_long_as_its_revision_and_no_longer_than_its_age() -> None:
    cache, clock = _cache()
    make = Maker()
    steps = [(0, "a", b"1"), (30, "b", b"1"), (31, "b", b"2"), (500, "b", b"2"), (99, "b", b"2"), (2, "b", b"3")]
    for later_s, revision, expected in steps:
        clock[0] += later_s
        assert cache.get("key", revision, make, may_wait) == expected, (later_s, revision)


def test_a_change_that_may_not_wait_shows_at_once() -> None:
    cache, clock = _cache()
    make = Maker()
    asked = []

    def only_letters_wait(former: str) -> bool:
        asked.append(former)
        return former.isalpha()

    steps = [("a", b"1"), ("b", b"1"), ("a", b"1"), ("1", b"1"), ("2", b"1")]
    for revision, expected in steps:
        assert cache.get("key", revision, make, only_letters_wait) == expected, revision
    clock[0] += 61
    assert cache.get("key", "3", make, only_letters_wait) == b"2"
    assert cache.get("key", "4", make, only_letters_wait) == b"3"
    assert asked == ["a", "a", "a", "3"], "an old answer is not asked about: it is made anew"


def test_answers_are_bounded_and_the_oldest_goes() -> None:
    cache, _ = _cache(most_bytes=10)
    first = Maker(size=4)
    cache.get("first", 0, first, may_wait)
    cache.get("second", 0, Maker(size=4), may_wait)
    cache.get("first", 0, first, may_wait)
    cache.get("third", 0, Maker(size=4), may_wait)
    assert cache.size_bytes == 8
    cache.get("first", 0, first, may_wait)
    assert first.made == 1, "the second went"
    for number in range(200):
        cache.get(number, 0, Maker(size=0), may_wait)
    assert cache.size_bytes == 0, "their number is bounded too"


def test_a_failure_is_told_and_not_kept() -> None:
    cache, _ = _cache()

    def fail() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("key", 0, fail, may_wait)
    assert cache.get("key", 0, Maker(), may_wait) == b"1"


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    cache, _ = _cache()
    begun, go_on = threading.Event(), threading.Event()
    make = Maker()

    def slow() -> bytes:
        begun.set()
        assert go_on.wait(30)
        return make()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.get, "key", 0, slow, may_wait) for _ in range(4)]
        assert begun.wait(30)
        go_on.set()
        assert {one.result(30) for one in asked} == {b"1"}
    assert make.made == 1
