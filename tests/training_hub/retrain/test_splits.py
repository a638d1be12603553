"""No recording, and no gateway's day, is on two sides."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training_hub.retrain.made import known
from training_hub.retrain.clips import KnownClip
from training_hub.retrain.splits import Division, divide, group_clips


def sides_of(division: Division) -> dict[str, str]:
    return {clip_id: side for side, ids in division.sides().items() for clip_id in ids}


CLIPS = st.lists(
    st.tuples(st.sampled_from(["pump_0", "pump_1", "fan_0"]), st.integers(0, 6), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.integers(0, 5))
def test_whatever_hangs_together_is_on_one_side(rows: list[tuple[str, int, int, bool]], seed: int) -> None:
    clips = [
        known(k, machine, f"session_{session}", day=f"site/{machine}/{day}", anomalous=odd)
        for k, (machine, session, day, odd) in enumerate(rows)
    ]
    division = divide(clips, seed)
    side = sides_of(division)
    assert side.keys() == {clip.clip_id for clip in clips}
    for word in ("recording", "day"):
        found: dict[tuple[str, bool], set[str]] = defaultdict(set)
        for clip in clips:
            found[getattr(clip, word), clip.anomalous].add(side[clip.clip_id])
        assert all(len(sides) == 1 for sides in found.values())
    assert divide(list(reversed(clips)), seed).digest == division.digest


def test_each_side_has_its_share() -> None:
    division = divide([known(k) for k in range(100)], seed=1)
    assert (len(division.commission), len(division.held_out), len(division.teach)) == (30, 35, 35)
    assert not division.undivided


@pytest.mark.parametrize(
    ("groups", "expected"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (4, (3, 1, 0)), (6, (4, 1, 1))],
    ids=["one recording", "two", "four", "six"],
)
def test_a_machine_of_few_recordings_is_judged_before_it_teaches(groups: int, expected: tuple[int, int, int]) -> None:
    division = divide([known(k) for k in range(groups)], seed=1)
    assert (len(division.commission), len(division.held_out), len(division.teach)) == expected
    assert division.undivided == (("site/pump_0",) if groups == 1 else ())


def test_another_seed_is_another_division() -> None:
    clips = [known(k) for k in range(40)]
    assert divide(clips, 1).digest != divide(clips, 2).digest
    assert divide(clips, 1) == divide(clips, 1)


def test_anomalies_are_on_a_side_of_their_own() -> None:
    odd = [known(100 + k, anomalous=True) for k in range(3)]
    division = divide([known(k) for k in range(9)] + odd, seed=1)
    assert division.anomalies == tuple(clip.clip_id for clip in odd)


def test_a_day_joins_recordings_and_a_recording_joins_days() -> None:
    clips: list[KnownClip] = [
        known(0, group="a", day="site/pump_0/1"),
        known(1, group="b", day="site/pump_0/1"),
        known(2, group="b", day="site/pump_0/2"),
        known(3, group="c", day="site/pump_0/3"),
    ]
    groups = group_clips(clips)
    assert len({groups[clip.clip_id] for clip in clips[:3]}) == 1
    assert groups[clips[3].clip_id] != groups[clips[0].clip_id]
