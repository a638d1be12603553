"""Which machine a window sounds like, and which normal recording is nearest."""

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import Recording
from edge_agent.detection.likeness import LEAST_LIMIT, MAX_ROWS, MOST_LIMIT, Likeness
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from tests.detection import sounds
from tests.detection.conftest import BUNDLE


@pytest.fixture(scope="module")
def likeness(profile: Profile) -> Likeness:
    assert profile.likeness is not None
    return profile.likeness


def test_the_machine_itself_is_nearer_than_its_limit_and_another_is_not(likeness: Likeness) -> None:
    own = [likeness.distance(sounds.window(seed).embeddings) for seed in range(5000, 5020)]
    other = [likeness.distance(sounds.window(seed, machine=1).embeddings) for seed in range(5000, 5020)]
    assert max(d for d in own if d is not None) < likeness.limit < min(d for d in other if d is not None)
    assert LEAST_LIMIT <= likeness.limit <= MOST_LIMIT


def test_bounded_whatever_is_learnt(likeness: Likeness) -> None:
    assert len(likeness.bank) == MAX_ROWS  # twelve windows of eight patches hold more


def test_gain_of_an_embedding_changes_nothing(likeness: Likeness) -> None:
    embeddings = sounds.window(5000).embeddings
    assert likeness.distance(7.5 * embeddings) == pytest.approx(likeness.distance(embeddings), abs=1e-6)


def test_nothing_to_go_by(likeness: Likeness) -> None:
    none = np.zeros((0, sounds.EMBEDDING), np.float32)
    foreign = np.ones((4, sounds.EMBEDDING + 1), np.float32)
    assert likeness.distance(none) is None and likeness.distance(foreign) is None
    assert likeness.nearest(none, ("a",)) is None and likeness.nearest(foreign, ("a",)) is None


def test_the_nearest_recording_and_its_moment() -> None:
    """Three windows of two recordings, each with a direction of its own."""
    directions = np.eye(3, sounds.EMBEDDING, dtype=np.float32)
    windows = [sounds.features(sounds.window(k).log_mel_db, np.tile(directions[k], (8, 1))) for k in range(3)]
    recordings = [
        Recording("monday.wav", (windows[0], windows[1]), (None, None), (0.0, 10.0)),
        Recording("tuesday.wav", (windows[2],), (None,)),
    ]
    profile = commission("m", "fan", recordings, sounds.prior(shape=1.0), BUNDLE, AlarmBudget(), created_ns=0)
    scorer = MachineScorer(profile, sounds.prior(shape=1.0))
    nearest = [scorer.score(window).nearest_normal for window in windows]
    assert [(n.recording, n.start_s) for n in nearest] == [
        ("monday.wav", 0.0), ("monday.wav", 10.0), ("tuesday.wav", None),
    ]  # fmt: skip
    assert all(n.distance == pytest.approx(0.0, abs=0.01) for n in nearest)


def test_without_embeddings_the_spectrum_tells() -> None:
    def bare(seed: int) -> Recording:
        whole = sounds.window(seed)
        window = sounds.features(whole.log_mel_db, np.zeros((8, 0), np.float32))
        return Recording(f"clip_{seed}.wav", (window,), (None,))

    clips = [bare(seed) for seed in range(6)]
    profile = commission("m", "fan", clips, sounds.prior(shape=1.0), BUNDLE, AlarmBudget(), created_ns=0)
    assert profile.likeness is None
    verdict = MachineScorer(profile, sounds.prior(shape=1.0)).score(clips[4].windows[0])
    assert verdict.nearest_normal.recording == "clip_4.wav"
    assert verdict.nearest_normal.distance < 0.01
    assert Profile.from_bytes(profile.to_bytes(), name="x").likeness is None


def test_kept_in_the_profile(profile: Profile, likeness: Likeness) -> None:
    loaded = Profile.from_bytes(profile.to_bytes(), name="x").likeness
    assert loaded is not None
    embeddings = sounds.window(5000).embeddings
    assert loaded.distance(embeddings) == likeness.distance(embeddings)
    assert loaded.nearest(embeddings, profile.clips) == likeness.nearest(embeddings, profile.clips)
    assert loaded.limit == likeness.limit


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"bank": np.zeros((3, 16), np.float32)}, id="bank of floats"),
        pytest.param({"bank": np.zeros((0, 16), np.int8)}, id="empty bank"),
        pytest.param({"recordings": np.full(MAX_ROWS, 12, np.int32)}, id="a recording that is not named"),
        pytest.param({"recordings": np.zeros(3, np.int32)}, id="too few recordings"),
        pytest.param({"starts_s": np.full(MAX_ROWS, -7.0, np.float32)}, id="negative start"),
    ],
)
def test_damaged_arrays_are_refused(profile: Profile, likeness: Likeness, change: dict[str, np.ndarray]) -> None:
    with pytest.raises(DetectionError, match="likeness"):
        Likeness.from_arrays({**likeness.to_arrays(), **change}, likeness.limit, len(profile.clips))


def test_a_limit_out_of_range_is_refused(profile: Profile, likeness: Likeness) -> None:
    damaged = replace(profile, likeness=replace(likeness, limit=3.0))
    with pytest.raises((DetectionError, ValueError), match="likeness_limit"):
        Profile.from_bytes(damaged.to_bytes(), name="x")
