"""Health from a machine's own baseline: zones, trend and days that are left."""

import math

import pytest

from edge_agent.detection.assessment import NORMAL_EVIDENCE, HealthAssessment, HealthAssessor
from edge_agent.detection.verdict import HealthCode, HealthFinding, NearestNormal, Verdict

DAY_NS = 86_400 * 1_000_000_000
THRESHOLD = 4.0


def _verdict(score: float, *, blocked: bool = False) -> Verdict:
    finding = HealthFinding(HealthCode.DEAD, True, "dead")
    return Verdict(
        score=score, threshold=THRESHOLD, percentile=50.0, detectors=(), bands=(), state=0,
        nearest_normal=NearestNormal("a.wav", None, 0.0), health=(finding,) if blocked else (),
        is_anomalous=score >= THRESHOLD,
    )  # fmt: skip


def _score_at(index: float) -> float:
    """The score that, kept up, has this health index."""
    return NORMAL_EVIDENCE + (1.0 - index) * (THRESHOLD - NORMAL_EVIDENCE)


@pytest.mark.parametrize(
    ("score", "index", "zone"),
    [
        (0.0, 1.0, "A"), (NORMAL_EVIDENCE, 1.0, "A"), (_score_at(0.76), 0.76, "A"), (_score_at(0.74), 0.74, "B"),
        (_score_at(0.49), 0.49, "C"), (_score_at(0.24), 0.24, "D"), (THRESHOLD, 0.0, "D"), (300.0, 0.0, "D"),
    ],
)  # fmt: skip
def test_zones(score: float, index: float, zone: str) -> None:
    assessment = HealthAssessor().update(_verdict(score), 0)
    assert assessment is not None
    assert (assessment.index, assessment.zone, assessment.windows) == (pytest.approx(index), zone, 1)


def test_normal_evidence_is_the_mean_of_normal_windows() -> None:
    tails = [(rank + 0.5) / 10_000 for rank in range(10_000)]
    assert sum(-math.log10(p) for p in tails) / len(tails) == pytest.approx(NORMAL_EVIDENCE, abs=1e-3)


def test_a_blocked_window_says_nothing() -> None:
    assessor = HealthAssessor()
    assert assessor.update(_verdict(300.0, blocked=True), 0) is None
    following = assessor.update(_verdict(NORMAL_EVIDENCE), 1)
    assert following is not None
    assert (following.windows, following.index) == (1, 1.0)


def test_one_wild_window_among_an_hour_of_normal_ones_moves_little() -> None:
    assessor = HealthAssessor()
    for _ in range(360):
        assessor.update(_verdict(NORMAL_EVIDENCE), 0)
    after = assessor.update(_verdict(300.0), 0)
    assert after is not None
    assert after.index > 0.99


def _life(slope_per_day: float, days: float, start: float = 0.9) -> HealthAssessment:
    assessor = HealthAssessor(smoothing_windows=1)
    found: HealthAssessment | None = None
    for hour in range(int(days * 24) + 1):
        found = assessor.update(_verdict(_score_at(start + slope_per_day * hour / 24)), hour * DAY_NS // 24)
    assert found is not None
    return found


def test_a_trend_and_the_days_that_are_left() -> None:
    found = _life(-0.05, days=8)
    assert found.trend_per_day == pytest.approx(-0.05, abs=1e-6)
    assert found.index == pytest.approx(0.5)
    assert found.days_to_limit == pytest.approx(10.0)


def test_a_machine_that_gets_better_has_no_days_to_count() -> None:
    found = _life(+0.01, days=4, start=0.5)
    assert found.trend_per_day == pytest.approx(0.01, abs=1e-6)
    assert found.days_to_limit is None


def test_no_trend_before_a_day_was_heard() -> None:
    assert _life(-0.5, days=0.9).trend_per_day is None


def test_what_lies_further_back_than_the_span_is_forgotten() -> None:
    assessor = HealthAssessor(smoothing_windows=1, trend_days=2.0)
    found = None
    for hour in range(24 * 6):
        index = 0.9 if hour < 24 * 3 else 0.5
        found = assessor.update(_verdict(_score_at(index)), hour * DAY_NS // 24)
    assert found is not None
    assert found.trend_per_day == pytest.approx(0.0, abs=1e-6)
