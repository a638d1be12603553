import math
import time

import numpy as np
import pytest

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.explain import sentence
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.third_octave import ThirdOctaves
from tests.detection import sounds

MAX_SCORE_S = 1e-3


@pytest.fixture(scope="module")
def scorer(profile: Profile) -> MachineScorer:
    return MachineScorer(profile, sounds.prior())


def rise_at(centre_hz: float, rise_db: float) -> np.ndarray:
    change = np.zeros(128)
    change[ThirdOctaves().mel_bands(centre_hz)] = rise_db
    return change


def test_normal_is_normal_and_a_fault_is_not(scorer: MachineScorer) -> None:
    normal = scorer.score(sounds.window(600))
    fault = scorer.score(sounds.window(600, change_db=rise_at(2500.0, 12.0)))
    assert not normal.is_anomalous and fault.is_anomalous
    assert 0.0 <= normal.percentile <= 100.0 and fault.percentile > 99.0


@pytest.mark.parametrize("centre_hz", [500.0, 1600.0, 2500.0, 5000.0])
@pytest.mark.parametrize("rise_db", [10.0, -10.0])
def test_the_changed_band_is_named(scorer: MachineScorer, centre_hz: float, rise_db: float) -> None:
    verdict = scorer.score(sounds.window(601, change_db=rise_at(centre_hz, rise_db)))
    leading = max(verdict.bands, key=lambda band: band.contribution)
    assert leading.centre_hz == centre_hz
    assert math.copysign(1.0, leading.change_db) == math.copysign(1.0, rise_db)


@pytest.mark.parametrize("centre_hz", [630.0, 2000.0, 4000.0])
def test_mending_the_named_band_lowers_the_score_most(scorer: MachineScorer, centre_hz: float) -> None:
    change = rise_at(centre_hz, 9.0)
    verdict = scorer.score(sounds.window(602, change_db=change))
    named = max(verdict.bands, key=lambda band: band.contribution).centre_hz
    mended = {}
    for band in verdict.bands:
        repair = rise_at(band.centre_hz, 1.0) * -band.change_db
        mended[band.centre_hz] = scorer.score(sounds.window(602, change_db=change + repair)).score
    assert min(mended, key=mended.__getitem__) == named


def test_shares_and_contributions_add_up(scorer: MachineScorer) -> None:
    verdict = scorer.score(sounds.window(603, knocks=True))
    assert sum(detector.share for detector in verdict.detectors) == pytest.approx(1.0)
    telling = sum(detector.share for detector in verdict.detectors if detector.name != "embedding")
    assert sum(band.contribution for band in verdict.bands) == pytest.approx(telling)


def test_score_grows_without_end_and_without_ties(scorer: MachineScorer) -> None:
    scores = [
        scorer.score(sounds.window(604, change_db=rise_at(1000.0, rise))).score for rise in (3, 6, 12, 24, 48, 96)
    ]
    assert scores == sorted(set(scores)) and all(map(math.isfinite, scores))


def test_a_window_without_embeddings_is_scored_by_the_rest(scorer: MachineScorer) -> None:
    short = scorer.score(sounds.window(605, frames=63))
    assert {detector.name for detector in short.detectors} == {"shape", "texture", "floor"}
    assert math.isfinite(short.score)


def test_a_window_without_frames_is_refused(scorer: MachineScorer) -> None:
    nothing = WindowFeatures(
        np.zeros((0, 128), np.float32), np.zeros((0, 16), np.float32), np.zeros((0, 3), np.float32)
    )
    with pytest.raises(DetectionError, match="without valid frames"):
        scorer.score(nothing)


def test_a_stopped_machine_is_no_anomaly(scorer: MachineScorer) -> None:
    verdict = scorer.score(sounds.window(606, change_db=rise_at(1000.0, 30.0), gain_db=-40.0))
    assert verdict.blocked and not verdict.is_anomalous
    assert "cannot be heard" in sentence("fan_1", verdict)


def test_the_nearest_normal_clip_is_named(scorer: MachineScorer) -> None:
    verdict = scorer.score(sounds.window(3000))  # the window of clip 3 itself
    assert verdict.nearest_normal.recording == "clip_003.wav"


def test_the_sentence_names_band_change_and_rarity(scorer: MachineScorer) -> None:
    said = sentence("fan_1", scorer.score(sounds.window(607, change_db=rise_at(2500.0, 14.0))))
    assert said.startswith("fan_1 sounds unlike its normal") and "a steady hiss around 2.5 kHz, 1" in said
    assert sentence("fan_1", scorer.score(sounds.window(608))).startswith("fan_1 sounds normal")


def test_scoring_is_fast(scorer: MachineScorer) -> None:
    window = sounds.window(609)
    best = min(_seconds(scorer, window) for _ in range(20))
    assert best < 3 * MAX_SCORE_S  # thrice the aim: test machines are shared


def _seconds(scorer: MachineScorer, window: WindowFeatures) -> float:
    start = time.perf_counter()
    scorer.score(window)
    return time.perf_counter() - start
