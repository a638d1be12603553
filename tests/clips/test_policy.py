"""Which windows are kept."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clips.day import NS_PER_DAY, Slot, SlotDraw
from edge_agent.clips.novelty import NoveltyMap
from edge_agent.clips.policy import HeardWindow, KeepLimits, KeepPolicy, Kept
from edge_agent.clips.reasons import Reason
from tests.clips.samples import NS_PER_S

HOP_NS = 10 * NS_PER_S
DAY_NS = 19_675 * NS_PER_DAY
NONE = KeepLimits(uncertain_per_day=0, novel_per_day=0, random_per_day=0)


def window(index: int, state: str = "normal", score: float | None = 0.5, **more: object) -> HeardWindow:
    threshold = None if score is None else 3.0
    return HeardWindow("fan_1", DAY_NS + index * HOP_NS, state, score, threshold, **more)  # type: ignore[arg-type] # a test's shorthand


@dataclass(frozen=True)
class Case:
    name: str
    window: HeardWindow
    expected: Reason | None


EAST = np.array([1, 0, 0], np.float32)
CASES = [
    Case("a plain normal window, its slot being taken", window(1), None),
    Case("just above the threshold", window(1, "suspect", 3.3), Reason.UNCERTAIN),
    Case("just below it", window(1, "normal", 2.5), Reason.UNCERTAIN),
    Case("far above it", window(1, "suspect", 9.0), None),
    Case("it raised the alarm", window(1, "alarm", 9.0, alarm_raised=True), Reason.ALARM),
    Case("within an alarm that began before the agent did", window(1, "alarm", 9.0), None),
    Case("unlike all before", window(1, embedding=EAST), Reason.NOVEL),
    Case("an embedding of zeros is nothing new", window(1, embedding=np.zeros(3, np.float32)), None),
    Case("of a machine without a profile, and new", window(1, "uncommissioned", None, embedding=EAST), Reason.NOVEL),
    Case("an input fault near the threshold", window(1, "input_fault", 3.0, embedding=EAST), None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_which_window_is_kept(case: Case) -> None:
    policy = KeepPolicy(KeepLimits())
    assert policy.decide(window(0), draw=0.0) is not None  # takes the slot
    wish = policy.decide(case.window, draw=0.999)
    assert (None if wish is None else wish.reason) is case.expected


def test_an_episode_is_kept_again_only_when_its_score_has_doubled() -> None:
    policy = KeepPolicy(NONE)
    scores = [9.0, 10.0, 17.0, 18.0, 20.0, 40.0, 90.0, 200.0, 400.0]
    kept = [
        score
        for index, score in enumerate(scores)
        if policy.decide(window(index, "alarm", score, alarm_raised=index == 0), draw=0.0)
    ]
    assert kept == [9.0, 18.0, 40.0, 90.0]
    assert policy.decide(window(99, "alarm", 4.0, alarm_raised=True), draw=0.0) is not None


def test_one_bad_hour_does_not_take_the_days_share_of_uncertain_windows() -> None:
    policy = KeepPolicy(KeepLimits(novel_per_day=0, random_per_day=0, uncertain_per_day=8))
    kept = [index for index in range(8640) if policy.decide(window(index, "suspect", 3.1), draw=0.0)]
    assert kept == [60 * number for number in range(8)]
    assert policy.decide(window(8640, "suspect", 3.1), draw=0.0) is not None


def test_novel_clips_are_spread_out_and_not_a_hundred_of_the_same() -> None:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((5, 128))
    limits = KeepLimits(random_per_day=0, uncertain_per_day=0, novel_per_day=100)
    policy = KeepPolicy(limits)
    kept: Counter[int] = Counter()
    for index in range(2000):
        kind = index % 5
        embedding = (centres[kind] + 0.1 * rng.standard_normal(128)).astype(np.float32)
        if policy.decide(window(index, embedding=embedding), draw=0.9):
            kept[kind] += 1
    assert kept == {kind: 1 for kind in range(5)}


def test_another_model_begins_anew_with_what_is_novel() -> None:
    policy = KeepPolicy(KeepLimits(random_per_day=0, uncertain_per_day=0, novel_per_day=100))
    of_one, of_another = np.eye(4, dtype=np.float32)[0], np.eye(6, dtype=np.float32)[0]
    assert policy.decide(window(0, embedding=of_one), draw=0.9)
    assert not policy.decide(window(1, embedding=of_one), draw=0.9)
    assert policy.decide(window(2, embedding=of_another), draw=0.9), "of another length: nothing is known of it"
    policy.forget_embeddings()
    assert policy.decide(window(3, embedding=of_another), draw=0.9)
    assert not policy.decide(window(4, embedding=of_another), draw=0.9)


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), max_size=60))
def test_a_novelty_map_stays_bounded_and_covers_all_that_was_added(vectors: list[list[float]]) -> None:
    novelty = NoveltyMap(radius=0.05, most=5)
    for vector in vectors:
        embedding = np.array(vector, np.float32)
        novelty.add(embedding)
        assert len(novelty) <= 5
        assert not novelty.is_novel(embedding)
    # Euclidean distances of unit vectors are sqrt(2 d): each doubling gives up at most one radius of cover
    for vector in vectors:
        embedding = np.array(vector, np.float32)
        if np.isfinite(novelty.distance(embedding)):
            assert novelty.distance(embedding) <= 12 * novelty.radius


def test_random_windows_cover_the_day_evenly() -> None:
    """Each hour's share of what is finally kept of a day is alike, whatever the order of draws."""
    rng = np.random.default_rng(3)
    hours: Counter[int] = Counter()
    written = 0
    for _ in range(300):
        policy = KeepPolicy(KeepLimits(novel_per_day=0, uncertain_per_day=0, random_per_day=6))
        last: dict[str, int] = {}
        for index in range(0, 8640, 20):
            wish = policy.decide(window(index), draw=float(rng.random()))
            if wish is not None and wish.slot is not None:
                written += 1
                last[wish.slot] = index
        assert len(last) == 6
        hours.update(index * 10 // 3600 for index in last.values())
    assert set(hours) == set(range(24))
    assert max(hours.values()) < 1.6 * 75 and min(hours.values()) > 0.5 * 75  # 6 * 300 / 24 each, with chance
    assert written / 300 < 6 * 6  # ln(72) + 1 a slot


def test_a_restart_goes_on_with_the_day() -> None:
    slot = Slot.at(DAY_NS, parts=6)
    now_ns = DAY_NS + 3600 * NS_PER_S
    draw = SlotDraw(6)
    draw.resume(slot.name, now_ns, hop_s=10.0)
    assert draw.choose(now_ns, draw=0.5) is None
    assert draw.choose(now_ns, draw=1 / 400) is not None
    history = [Kept("fan_1", Reason.UNCERTAIN, DAY_NS + n * 600 * NS_PER_S) for n in range(8)]
    policy = KeepPolicy(KeepLimits(), history, now_ns=DAY_NS + 7200 * NS_PER_S)
    assert policy.decide(window(1000, "suspect", 3.0), draw=0.999) is None
    known = KeepPolicy(KeepLimits(random_per_day=0), [Kept("fan_1", Reason.NOVEL, DAY_NS, None, EAST)])
    assert known.decide(window(1, embedding=EAST * 2), draw=0.0) is None


def test_a_request_takes_the_next_window_once_even_with_a_broken_input() -> None:
    policy = KeepPolicy(NONE)
    policy.request("fan_1")
    other = HeardWindow("pump", DAY_NS, "normal")
    assert policy.decide(other, draw=0.0) is None
    wish = policy.decide(window(0, "input_fault"), draw=0.0)
    assert wish is not None and wish.reason is Reason.REQUEST
    assert policy.decide(window(1), draw=0.0) is None


@given(st.integers(0, 10**20), st.integers(1, 100))
def test_slots_cut_the_day_without_a_hole(time_ns: int, parts: int) -> None:
    slot = Slot.at(time_ns, parts=parts)
    assert slot.start_ns <= time_ns < slot.stop_ns
    after = Slot.at(slot.stop_ns, parts=parts)
    assert after.start_ns == slot.stop_ns and after != slot


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["normal", "suspect", "alarm", "input_fault", "uncommissioned"]),
            st.floats(0, 30),
            st.booleans(),
            st.floats(0, 0.999),
            st.integers(1, 2000),
        ),
        max_size=200,
    )
)
def test_quotas_hold_whatever_comes(script: list[tuple[str, float, bool, float, int]]) -> None:
    limits = KeepLimits(uncertain_per_day=3, novel_per_day=2, random_per_day=4, uncertain_spacing_s=0.0)
    policy = KeepPolicy(limits)
    rng = np.random.default_rng(0)
    kept: Counter[tuple[int, Reason]] = Counter()
    slots: set[str] = set()
    index = 0
    for state, score, raised, draw, step in script:
        index += step
        heard = window(index, state, score, alarm_raised=raised, embedding=rng.standard_normal(8).astype(np.float32))
        wish = policy.decide(heard, draw=draw)
        if wish is not None:
            kept[heard.start_ns // NS_PER_DAY, wish.reason] += 1
            slots |= {wish.slot} if wish.slot else set()
    most = {Reason.UNCERTAIN: 3, Reason.NOVEL: 2}
    assert all(count <= most[reason] for (_, reason), count in kept.items() if reason in most)
    assert len(slots) <= 4 * (1 + index * HOP_NS // NS_PER_DAY)
