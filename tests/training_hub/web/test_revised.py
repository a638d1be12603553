"""Answers are made once for as long as they hold, and the map shows what people do at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import update

from tests.support.clips import BUNDLE
from tests.support.hub import Hub
from training_hub.catalogue.tables import Clip
from training_hub.web.revised import RevisedCache


class Maker:
    """Makes an answer, and counts."""

    def __init__(self, size: int = 1) -> None:
        self.made = 0
        self._size = size

    def __call__(self) -> bytes:
        self.made += 1
        return str(self.made).encode() * self._size


def _cache(most_bytes: int = 100) -> tuple[RevisedCache, list[float]]:
    clock = [1000.0]
    return RevisedCache(most_bytes=most_bytes, fresh_s=60, most_age_s=600, now_s=lambda: clock[0]), clock


def test_an_answer_holds_as_long_as_its_revision_and_no_longer_than_its_age() -> None:
    cache, clock = _cache()
    make = Maker()
    steps = [(0, "a", b"1"), (30, "b", b"1"), (31, "b", b"2"), (500, "b", b"2"), (99, "b", b"2"), (2, "b", b"3")]
    for later_s, revision, expected in steps:
        clock[0] += later_s
        assert cache.get("key", revision, make) == expected, (later_s, revision)


def test_answers_are_bounded_and_the_oldest_goes() -> None:
    cache, _ = _cache(most_bytes=10)
    first = Maker(size=4)
    cache.get("first", 0, first)
    cache.get("second", 0, Maker(size=4))
    cache.get("first", 0, first)
    cache.get("third", 0, Maker(size=4))
    assert cache.size_bytes == 8
    cache.get("first", 0, first)
    assert first.made == 1, "the second went"
    for number in range(200):
        cache.get(number, 0, Maker(size=0))
    assert cache.size_bytes == 0, "their number is bounded too"


def test_a_failure_is_told_and_not_kept() -> None:
    cache, _ = _cache()

    def fail() -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("key", 0, fail)
    assert cache.get("key", 0, Maker()) == b"1"


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    cache, _ = _cache()
    begun, go_on = threading.Event(), threading.Event()
    make = Maker()

    def slow() -> bytes:
        begun.set()
        assert go_on.wait(30)
        return make()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.get, "key", 0, slow) for _ in range(4)]
        assert begun.wait(30)
        go_on.set()
        assert {one.result(30) for one in asked} == {b"1"}
    assert make.made == 1


def test_the_map_is_made_once_until_somebody_does_something(hub: Hub) -> None:
    ids = hub.fill(clips=30)
    rng = np.random.default_rng(1)
    with hub.parts.database.transaction() as session:
        for id_ in ids:
            embedding = rng.normal(size=16).astype("<f2").tobytes()
            session.execute(
                update(Clip).where(Clip.id == id_).values(embedding=embedding, bundle_sha256=BUNDLE["sha256"])
            )
    operator = hub.person("operator")

    def points() -> dict[str, list[str]]:
        answer = operator.get("/map/points", params={"bundle": BUNDLE["sha256"]})
        assert answer.status_code == 200, answer.text
        found: dict[str, list[str]] = answer.json()
        return found

    first = points()
    assert sorted(first["ids"]) == sorted(ids) and len(first["x"]) == len(first["y"]) == 30
    with hub.parts.database.transaction() as session:  # behind the catalogue's back: nothing tells of it
        session.execute(update(Clip).values(verdict="alarm"))
    assert points() == first
    place = first["ids"].index(ids[7])
    answer = operator.post("/api/v1/clips/label", json={"ids": [ids[7]], "label": "leak"})
    assert answer.status_code == 200, answer.text
    second = points()
    assert second["label"][place] == "leak" and second["x"] == first["x"]
    assert operator.post("/api/v1/clips/delete", json={"ids": [ids[7]]}).status_code == 200
    assert ids[7] not in points()["ids"]
    nobody = hub.anonymous().get("/map/points", params={"bundle": BUNDLE["sha256"]}, follow_redirects=False)
    assert nobody.status_code in (303, 401)
