"""Which commissioned machine a window sounds like."""

import math

import numpy as np
import pytest

from edge_agent.pipeline.match import TEMPERATURE, UNKNOWN, Matcher
from tests.pipeline.likenesses import likeness, toward


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher({"fan": likeness(0, limit=0.3), "pump": likeness(1, limit=0.2)})


def test_the_nearest_machine(matcher: Matcher) -> None:
    match = matcher.match(matcher.distances(toward(1, distance=0.05)))
    assert match is not None
    assert match.machine == "pump"
    assert match.distance == pytest.approx(0.05, abs=0.01)
    assert match.limit == 0.2
    assert match.confidence > 0.9


@pytest.mark.parametrize(
    ("distance", "machine"),
    [pytest.param(0.25, "fan", id="within the fan's"), pytest.param(0.35, UNKNOWN, id="beyond the fan's")],
)
def test_a_limit_for_every_machine(matcher: Matcher, distance: float, machine: str) -> None:
    match = matcher.match(matcher.distances(toward(0, distance)))
    assert match is not None
    assert match.machine == machine


def test_the_nearest_of_those_that_it_can_be() -> None:
    """A machine whose normal sound varies more may be farther away and yet the only one that it can be."""
    matcher = Matcher({"steady": likeness(0, limit=0.05), "lively": likeness(1, limit=0.9)})
    match = matcher.match(matcher.distances(toward(0, 0.1, towards=1)))
    assert match is not None
    assert match.machine == "lively"


def test_sure_far_from_the_limit_and_unsure_at_it() -> None:
    matcher = Matcher({"fan": likeness(0, limit=0.3)})
    found = [matcher.match({"fan": distance}) for distance in (0.0, 0.3, 0.3001, 0.6)]
    confidences = [match.confidence for match in found if match is not None]
    assert confidences[0] == pytest.approx(1.0 / (1.0 + math.exp(-0.3 / TEMPERATURE)))
    assert confidences[1:3] == pytest.approx([0.5, 0.5], abs=0.01)
    assert confidences[3] > 0.95


def test_between_twins_the_confidence_is_shared() -> None:
    matcher = Matcher({"a": likeness(0, limit=0.3), "b": likeness(0, limit=0.3)})
    match = matcher.match(matcher.distances(toward(0, 0.02)))
    assert match is not None
    assert match.confidence == pytest.approx(0.5, abs=0.01)


def test_nothing_to_compare() -> None:
    assert Matcher({}).match({}) is None
    assert not Matcher({})
    one = Matcher({"fan": likeness(0, limit=0.3)})
    assert one.distances(np.zeros((0, 16), np.float32)) == {}
    assert one.distances(np.ones((3, 5), np.float32)) == {}  # of another encoder


def test_all_at_once_is_what_each_says_alone() -> None:
    likenesses = {f"m{k}": likeness(k % 5, limit=0.3) for k in range(12)}
    window = toward(2, 0.1, towards=3)
    found = Matcher(likenesses).distances(window)
    assert list(found) == list(likenesses)
    for machine, distance in found.items():
        assert distance == pytest.approx(likenesses[machine].distance(window), abs=1e-6)
    assert Matcher(likenesses).distances(window[:, :-1]) == {}, "embeddings of another encoder are compared with none"
