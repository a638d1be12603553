"""What adding normals would change, before anything does."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.detection.addition import Addition, add_normals
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError
from edge_agent.detection.features import Recording
from edge_agent.detection.normals import Normals, Source
from edge_agent.detection.scorer import MachineScorer
from edge_agent.inference.manifest import BundleRef
from edge_agent.simulate import MachineState, MachineType
from tests.detection import simulated, sounds
from tests.detection.test_commission import silent

SOURCE = Source("a" * 64, "b" * 64)
BUNDLE = BundleRef(name="test", version="1.2.3", sha256="0" * 64)
ODD_DB = 2.5 * np.sin(np.arange(128) / 7)


def ordinary(count: int, first: int = 0) -> list[Recording]:
    return [sounds.recording(first + seed) for seed in range(count)]


def odd(count: int) -> list[Recording]:
    return [Recording(f"odd_{k}", (sounds.window(700 + k, change_db=ODD_DB),), (None,)) for k in range(count)]


def add(old: list[Recording], new: list[Recording], max_states: int = 1) -> Addition:
    prior = sounds.prior()
    budget = AlarmBudget(raise_after=3, raise_within=5, background_margin=False)
    profile = commission("m", "t", old, prior, BUNDLE, budget, created_ns=1, max_states=max_states)
    kept, added = Normals.of(SOURCE, old), Normals.of(SOURCE, new)
    return add_normals(replace(profile, normals=("c" * 64,)), [kept], added, prior, BUNDLE, created_ns=2)


def test_a_kind_of_normal_that_raised_alarms_raises_fewer_once_it_is_added() -> None:
    addition = add(ordinary(12), odd(5))
    assert [clip.above for clip in addition.clips] == [1] * 5
    assert all(clip.score_after < clip.score and clip.percentile > 99 for clip in addition.clips)
    before, after = (MachineScorer(p, sounds.prior()) for p in (addition.before, addition.after))
    fresh = [sounds.window(900 + k, change_db=ODD_DB) for k in range(30)]
    assert sum(before.score(w).is_anomalous for w in fresh) > 2 * sum(after.score(w).is_anomalous for w in fresh)
    assert (addition.after.recordings, addition.after.created_ns) == (17, 2)
    assert addition.after.normals == ("c" * 64,)
    assert addition.normals.windows == 5


def test_ordinary_additions_make_a_provisional_profile_a_calibrated_one() -> None:
    addition = add(ordinary(30), ordinary(30, first=100))
    assert (addition.before.provisional, addition.after.provisional) == (True, False)
    before, after = addition.before.expected, addition.after.expected
    assert after.high / after.low < before.high / before.low


def test_silence_and_copies_are_left_out_and_said() -> None:
    addition = add(ordinary(6), [*ordinary(2, first=4), *ordinary(2, first=50), silent("dead.wav")])
    assert [clip.name for clip in addition.clips] == ["clip_050.wav", "clip_051.wav"]
    assert addition.left_out == (
        "clip_004.wav: a copy of clip_004.wav",
        "clip_005.wav: a copy of clip_005.wav",
        "dead.wav: silence; check microphone, cable and channel",
    )


def test_nothing_new_is_refused() -> None:
    with pytest.raises(CommissioningError, match=r"nothing to add: clip_000.wav: a copy"):
        add(ordinary(6), ordinary(3))


def test_a_new_state_is_learnt_once_it_is_named() -> None:
    idle, running = (
        simulated.clips(MachineType.GEARBOX, state=state, count=6)
        for state in (MachineState.IDLE, MachineState.RUNNING)
    )
    addition = add(running, [replace(recording, state="idle") for recording in idle])
    assert [state.name for state in addition.after.states] == ["state_1", "idle"]


def test_unnamed_additions_go_to_the_state_that_they_resemble() -> None:
    idle, running = (
        simulated.clips(MachineType.GEARBOX, state=state, count=6, state_name=state.value)
        for state in (MachineState.IDLE, MachineState.RUNNING)
    )
    more = simulated.clips(MachineType.GEARBOX, state=MachineState.RUNNING, count=3, seed=5)
    addition = add([*idle, *running], more)
    assert [(state.name, state.windows) for state in addition.after.states] == [("idle", 6), ("running", 9)]
