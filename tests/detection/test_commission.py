import time
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import CommissioningError, DetectionError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from tests.detection import sounds


def learn(recordings: list[Recording], **options: int) -> Profile:
    return commission("fan_1", "fan", recordings, sounds.prior(), None, AlarmBudget(), created_ns=1, **options)


def clips(count: int, first: int = 0, **options: float) -> list[Recording]:
    return [sounds.recording(first + seed, **options) for seed in range(count)]  # type: ignore[arg-type]


def silent(name: str = "silent.wav") -> Recording:
    frames = np.full((311, 128), -100.0, np.float32)
    nothing = np.zeros((0, 16), np.float32)
    return Recording(name, (WindowFeatures(frames, nothing, nothing),), (None,))


def test_three_clips_are_enough_for_a_provisional_profile() -> None:
    profile = learn(clips(3))
    assert profile.provisional and profile.recordings == 3
    fault = sounds.window(900, change_db=15.0 * np.sin(np.arange(128) / 7), knocks=True)
    assert MachineScorer(profile, sounds.prior()).score(fault).is_anomalous


def test_ten_minutes_are_calibrated_and_quickly_learnt() -> None:
    recordings = clips(60)
    start = time.process_time()
    profile = learn(recordings)
    assert time.process_time() - start < 10.0
    assert not profile.provisional and profile.windows == 60


def test_the_same_recordings_give_the_same_bytes() -> None:
    assert learn(clips(6)).to_bytes() == learn(clips(6)).to_bytes()


def test_new_normal_windows_stay_below_the_threshold() -> None:
    scorer = MachineScorer(learn(clips(20)), sounds.prior())
    above = [scorer.score(sounds.window(5000 + k)).is_anomalous for k in range(300)]
    assert np.mean(above) < 2 * 10.0**-scorer.profile.threshold + 0.01


def test_one_long_recording_is_held_out_in_stretches() -> None:
    profile = learn([sounds.recording(1, windows=30)])
    assert profile.recordings == 1 and profile.windows == 30 and 3 < profile.fused_tail.recordings < 10


def test_expected_alarms_meet_the_budget() -> None:
    profile = learn(clips(12))
    assert profile.expected.low < 1.0 < profile.expected.high
    assert profile.expected.low < profile.expected.per_week < profile.expected.high


def test_a_loud_clip_is_left_out_and_named() -> None:
    loud = sounds.recording(50, gain_db=25.0)
    profile = learn([*clips(10), loud])
    assert len(profile.trimmed) == 1 and loud.name in profile.trimmed[0] and "louder" in profile.trimmed[0]


def test_an_odd_clip_is_left_out_and_named() -> None:
    odd = Recording("door.wav", (sounds.window(1, change_db=12.0 * np.sin(np.arange(128) / 3)),), (None,))
    profile = learn([*clips(10), odd])
    assert len(profile.trimmed) == 1 and "door.wav" in profile.trimmed[0]
    assert "door.wav" not in profile.clips


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (clips(2), "at least half a minute"),
        ([silent(), silent(), silent()], "nothing to learn from: silence"),
        ([*clips(8), silent("a.wav"), silent("b.wav")], r"2 of 10 recordings \(a.wav, b.wav\)"),
        ([*clips(5), *clips(5, first=70, machine=1)], "two machines, or one in several operating states"),
        ([*clips(3, first=80, gain_db=-30.0), *clips(9)], "the first 3 of 12 recordings .* a start-up"),
    ],
    ids=["too little", "silence", "partly silent", "two machines", "start-up"],
)
def test_bad_calibrations_are_refused(recordings: list[Recording], message: str) -> None:
    with pytest.raises(CommissioningError, match=message):
        learn(recordings)


def test_two_states_are_learnt_where_two_were_announced() -> None:
    profile = learn([*clips(6), *clips(6, first=70, machine=1)], max_states=2)
    assert len(profile.state_spectra_db) == 2
    scorer = MachineScorer(profile, sounds.prior())
    verdicts = [scorer.score(sounds.window(3000 + k, machine=k)) for k in (0, 1)]
    assert not any(verdict.is_anomalous for verdict in verdicts)
    assert verdicts[0].state != verdicts[1].state


def test_a_bundle_without_weights_is_refused() -> None:
    with pytest.raises(CommissioningError, match="another bundle"):
        commission("m", "t", clips(4), sounds.prior(shape=0.0), None, AlarmBudget(), created_ns=1)


def test_a_tighter_budget_gives_a_higher_threshold() -> None:
    strict = commission("m", "t", clips(5), sounds.prior(), None, AlarmBudget(0.01), created_ns=1)
    assert strict.threshold > learn(clips(5)).threshold


def test_recordings_must_match_their_levels() -> None:
    good = sounds.recording(1)
    with pytest.raises(DetectionError, match="0 levels"):
        replace(good, levels=())
