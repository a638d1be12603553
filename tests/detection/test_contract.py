"""What every detector promises; a new one is tested the moment it is registered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.detection.detector import Detector, TrainingSet
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.registry import DETECTORS
from tests.detection import sounds

MAX_ARRAYS_BYTES = 40_000
ALL = sorted(DETECTORS)


def training(count: int = 10, states: int = 1) -> TrainingSet:
    windows = tuple(sounds.window(k, machine=k % states, knocks=k % states == 1) for k in range(count))
    return TrainingSet(windows, np.arange(count), np.arange(count) % states)


def fitted(name: str, **kwargs: int) -> Detector:
    own = sounds.prior(**{name: 1.0}).of(name)
    detector = DETECTORS[name].fit(training(**kwargs), own, np.random.default_rng(3))
    assert detector is not None
    return detector


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    return {name: fitted(name) for name in ALL}


@pytest.fixture(params=ALL)
def detector(request: pytest.FixtureRequest, detectors: dict[str, Detector]) -> Detector:
    return detectors[request.param]


def score(detector: Detector, window: WindowFeatures) -> float:
    value = detector.score(window)
    assert value is not None
    return value


def test_name_is_the_registered_one(detector: Detector) -> None:
    assert DETECTORS[detector.name] is type(detector)


def test_fitting_and_scoring_are_deterministic(detector: Detector) -> None:
    window = sounds.window(99)
    again = fitted(detector.name)
    assert score(detector, window) == score(detector, window) == score(again, window)


def test_faults_score_above_every_normal_window(detector: Detector) -> None:
    normal = [score(detector, sounds.window(200 + k)) for k in range(20)]
    change = np.zeros(128)
    change[60:90] = 9.0
    assert score(detector, sounds.window(300, change_db=change, knocks=True)) > max(normal)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 6.0, 20.0])
def test_gain_changes_nothing(detector: Detector, gain_db: float) -> None:
    quiet, loud = sounds.window(5), sounds.window(5, gain_db=gain_db)
    assert score(detector, loud) == pytest.approx(score(detector, quiet), rel=1e-3, abs=1e-6)


def test_score_grows_with_a_growing_fault(detector: Detector) -> None:
    normal, odd = sounds.window(7), sounds.window(7, change_db=np.linspace(-20.0, 20.0, 128), knocks=True)

    def between(share: float) -> WindowFeatures:
        def mixed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return ((1 - share) * a + share * b).astype(np.float32)

        return sounds.features(mixed(normal.log_mel_db, odd.log_mel_db), mixed(normal.embeddings, odd.embeddings))

    scores = [score(detector, between(share)) for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


@pytest.mark.parametrize(
    ("level_db", "embedding"),
    [(-100.0, 0.0), (-100.0, 1.0), (0.0, 1e30), (1e6, -1e30), (-1e6, 1e-30)],
    ids=["silence", "silence embedded", "huge embedding", "huge level", "tiny everything"],
)
def test_finite_for_degenerate_windows(detector: Detector, level_db: float, embedding: float) -> None:
    frames = np.full((311, 128), level_db, np.float32)
    rows = np.full((8, sounds.EMBEDDING), embedding, np.float32)
    value = detector.score(sounds.features(frames, rows))
    assert value is not None and np.isfinite(value) and value >= 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.0, 1e4), frames=st.integers(1, 400))
@pytest.mark.parametrize("name", ALL)
def test_finite_for_any_finite_window(
    detectors: dict[str, Detector], name: str, seed: int, scale: float, frames: int
) -> None:
    rng = np.random.default_rng(seed)
    patches = max(0, (frames - 64) // 32 + 1)
    window = sounds.features(
        (scale * rng.standard_normal((frames, 128))).astype(np.float32),
        (scale * rng.standard_normal((patches, sounds.EMBEDDING))).astype(np.float32),
    )
    value = detectors[name].score(window)
    assert value is None or (np.isfinite(value) and value >= 0)


def test_many_windows_at_once_are_assessed_as_each_alone(detector: Detector) -> None:
    lengths = (311, 200, 63, 311, 7, 311, 96, 1)
    windows = [sounds.window(60 + k, machine=k % 2, knocks=k % 3 == 0, frames=n) for k, n in enumerate(lengths)]
    alone = [
        detector.assess(sounds.window(60 + k, machine=k % 2, knocks=k % 3 == 0, frames=n))
        for k, n in enumerate(lengths)
    ]
    for window in windows:
        detector.look(window)
    for one, other in zip(alone, detector.assess_all(windows), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.score == other.score
            assert (one.contributions is None) == (other.contributions is None)
            assert one.contributions is None or one.contributions.tobytes() == np.asarray(other.contributions).tobytes()
    assert detector.assess_all(()) == []


def test_contributions_sum_to_the_score(detector: Detector) -> None:
    window = sounds.window(11, knocks=True)
    assessment = detector.assess(window)
    assert assessment is not None and assessment.score == score(detector, window)
    if assessment.contributions is not None:
        assert assessment.contributions.shape == (128,)
        assert assessment.contributions.sum() == pytest.approx(assessment.score, rel=1e-9)


def test_saved_and_loaded_scores_are_equal_to_the_last_bit(detector: Detector) -> None:
    loaded = type(detector).from_arrays(detector.to_arrays())
    for seed in range(5):
        assert score(loaded, sounds.window(400 + seed)) == score(detector, sounds.window(400 + seed))
    assert all(np.array_equal(a, loaded.to_arrays()[key]) for key, a in detector.to_arrays().items())


@pytest.mark.parametrize("name", ALL)
def test_size_is_bounded_however_much_was_heard(name: str) -> None:
    for count in (10, 60):
        assert sum(array.nbytes for array in fitted(name, count=count).to_arrays().values()) <= MAX_ARRAYS_BYTES


@pytest.mark.parametrize("name", ALL)
def test_each_operating_state_is_normal(name: str) -> None:
    one, two = fitted(name, count=12), fitted(name, count=12, states=2)
    second_state = sounds.window(500, machine=1, knocks=True)
    assert score(two, second_state) < score(one, second_state)


def test_ranks_matter_on_impulsive_machines_only() -> None:
    transient = DETECTORS["transient"]
    assert transient.relevance(training()) == 0.0
    clicking = tuple(sounds.window(k, clicks=True) for k in range(6))
    valve = TrainingSet(clicking, np.arange(6), np.zeros(6, np.int64))
    assert transient.relevance(valve) > 0.5


def amid_other_sounds(count: int = 10) -> TrainingSet:
    """A machine's windows, each with another smooth spectrum of other sounds over it."""
    rng = np.random.default_rng(5)
    bands = np.linspace(-1.0, 1.0, 128)
    changes = [
        rng.normal(0, 4) * bands + rng.normal(0, 4) * bands**2 + rng.normal(0, 4) * bands**3 for _ in range(count)
    ]
    windows = tuple(sounds.window(k, change_db=change) for k, change in enumerate(changes))
    return TrainingSet(windows, np.arange(count), np.zeros(count, np.int64))


@pytest.mark.parametrize(
    ("name", "quiet", "least", "most"),
    [("shape", 1.0, 0.05, 0.9), ("floor", 1.0, 1.0, 1.0), ("relief", 0.0, 0.1, 0.95), ("texture", 1.0, 1.0, 1.0)],
)
def test_amid_other_sounds_the_relief_speaks_for_the_shape(name: str, quiet: float, least: float, most: float) -> None:
    relevance = DETECTORS[name].relevance
    assert relevance(training()) == quiet
    assert least <= relevance(amid_other_sounds()) <= most


def test_a_whine_stands_out_of_a_smooth_sound() -> None:
    def found(change: np.ndarray) -> float:
        detector = DETECTORS["relief"].fit(
            amid_other_sounds(), sounds.prior(relief=1.0).of("relief"), np.random.default_rng(0)
        )
        assert detector is not None
        return score(detector, sounds.window(300, change_db=change))

    whine = np.where(np.arange(128) == 100, 9.0, 0.0)
    assert found(whine) > 3.0 * found(np.linspace(-9.0, 9.0, 128))


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_look_at_is_no_score(name: str, detectors: dict[str, Detector]) -> None:
    empty = WindowFeatures(
        np.zeros((0, 128), np.float32), np.zeros((0, sounds.EMBEDDING), np.float32), np.zeros((0, 3), np.float32)
    )
    assert detectors[name].score(empty) is None
    own = sounds.prior(**{name: 1.0}).of(name)
    alone = TrainingSet((empty,), np.zeros(1, np.int64), np.zeros(1, np.int64))
    assert DETECTORS[name].fit(alone, own, np.random.default_rng(0)) is None


def test_damaged_arrays_are_refused(detector: Detector) -> None:
    arrays = detector.to_arrays()
    for key, array in arrays.items():
        without = {other: value for other, value in arrays.items() if other != key}
        with pytest.raises(DetectionError, match=f"{key}.* is missing"):
            type(detector).from_arrays(without)
        with pytest.raises(DetectionError, match="commission"):
            type(detector).from_arrays({**arrays, key: array[:, None]})
