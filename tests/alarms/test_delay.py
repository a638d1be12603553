"""On-delay and off-delay."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.alarms.delay import NS_PER_S, Delayed, Delays


@pytest.mark.parametrize(
    ("seen", "counted"),
    [
        ("....", "...."),
        ("#...", "...."),
        ("##..", "...."),
        ("###.", "..##"),
        ("#.#.#.#.#.#.", "............"),
        ("####.#.#.#.#.#", "..############"),
        ("###......", "..######."),
    ],
)
def test_a_condition_counts_once_it_stayed(seen: str, counted: str) -> None:
    delayed = Delayed(Delays(on_s=20, off_s=50))
    states = [delayed.update(letter == "#", index * 10 * NS_PER_S) for index, letter in enumerate(seen)]
    assert "".join("#" if on else "." for on in states) == counted


def test_it_goes_on_after_a_restart() -> None:
    delayed = Delayed(Delays(on_s=20, off_s=20), on=True)
    assert [delayed.update(False, second * NS_PER_S) for second in (100, 110, 120)] == [True, True, False]


@given(st.lists(st.booleans(), max_size=200))
def test_two_changes_are_never_closer_than_the_delays(seen: list[bool]) -> None:
    delayed = Delayed(Delays(on_s=30, off_s=60))
    changes, was_on = [], False
    for index, present in enumerate(seen):
        if delayed.update(present, index * 10 * NS_PER_S) is not was_on:
            was_on = not was_on
            changes.append(index * 10)
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(changes))
