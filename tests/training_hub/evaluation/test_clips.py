import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_hub.evaluation.clips import EvalClip, draw_split, machines_of, rng_for
from training_hub.evaluation.errors import EvaluationError


def clip(name: str, group: str, condition: str = "normal", machine_type: str = "fan") -> EvalClip:
    return EvalClip(name, machine_type, "m", condition, group, read_audio=lambda: np.zeros(16_000, np.float32))


@given(st.lists(st.integers(1, 6), min_size=2, max_size=12), st.integers(1, 12), st.integers(0, 99))
def test_no_recording_is_on_both_sides(sizes: list[int], k: int, seed: int) -> None:
    clips = [clip(f"{g}/{i}", str(g)) for g, size in enumerate(sizes) for i in range(size)]
    try:
        split = draw_split(clips, k, np.random.default_rng(seed))
    except EvaluationError:
        return
    assert len(split.commission) == k
    assert split.test
    assert {c.group for c in split.commission}.isdisjoint(c.group for c in split.test)
    assert not split.within_recording


@given(st.integers(5, 30), st.integers(1, 10), st.integers(0, 99))
def test_a_single_recording_is_divided_in_time(count: int, k: int, seed: int) -> None:
    clips = [clip(f"{i:02d}", "only") for i in range(count)]
    try:
        split = draw_split(clips, k, np.random.default_rng(seed))
    except EvaluationError:
        assert count <= k + 2
        return
    taken = sorted(clips.index(c) for c in split.commission)
    assert split.within_recording
    assert taken == list(range(taken[0], taken[0] + k))
    assert all(abs(clips.index(c) - t) > 1 for c in split.test for t in taken)


@pytest.mark.parametrize("k", [0, 3, 4])
def test_too_few_clips_are_refused(k: int) -> None:
    with pytest.raises(EvaluationError, match="record more"):
        draw_split([clip(str(i), str(i)) for i in range(3)], k, np.random.default_rng(0))


def test_draws_repeat_by_seed_and_differ_by_purpose() -> None:
    assert rng_for(1, "a", 2).random() == rng_for(1, "a", 2).random()
    assert len({rng_for(1, "a").random(), rng_for(1, "b").random(), rng_for(2, "a").random()}) == 3


def test_machines_are_gathered_without_background_or_machines_switched_off() -> None:
    clips = [
        clip("a", "1"), clip("b", "2", "anomaly"), clip("c", "3", "state_run"), clip("d", "4", "state_off"),
        clip("e", "5", "background", "background"), clip("f", "6", "code_7"),
    ]  # fmt: skip
    (machine,) = machines_of(clips)
    assert [c.name for c in machine.normals] == ["a", "c"]
    assert [c.name for c in machine.anomalies] == ["b"]


def test_a_clip_has_one_kind_of_sound() -> None:
    with pytest.raises(EvaluationError, match="either audio or log-mel"):
        EvalClip("x", "fan", "m", "normal", "g")
