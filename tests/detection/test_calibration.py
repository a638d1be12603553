import numpy as np
import pytest

from edge_agent.detection.calibration import PredictiveTail, log_score, neighbour_correlation
from edge_agent.detection.errors import DetectionError


@pytest.mark.parametrize(("clips", "nominal"), [(4, 0.1), (10, 0.1), (10, 0.01), (40, 0.01)])
def test_realised_rate_is_the_nominal_one(clips: int, nominal: float) -> None:
    """Over many commissionings, new normal windows exceed the threshold as often as promised."""
    rng = np.random.default_rng(2)
    above = []
    for _ in range(500):
        centre, spread = rng.normal(), np.exp(rng.normal(np.log(0.25), 0.35))
        heard = rng.normal(centre, spread, clips)
        tail = PredictiveTail.fit(heard, np.arange(clips), prior_spread=0.25, prior_strength=4.0)
        above.append(np.mean(rng.normal(centre, spread, 300) > tail.value_at(np.log10(nominal))))
    assert nominal / 2 < np.mean(above) < nominal * 2


def test_fewer_clips_give_a_higher_threshold() -> None:
    values = np.array([-0.3, 0.1, 0.4, -0.2, 0.0, 0.2] * 5)
    few = PredictiveTail.fit(values[:6], np.arange(6), prior_spread=0.25, prior_strength=4.0)
    many = PredictiveTail.fit(values, np.arange(30), prior_spread=0.25, prior_strength=4.0)
    assert few.value_at(-3.0) > many.value_at(-3.0)


def test_windows_of_one_recording_are_no_further_evidence() -> None:
    values = np.random.default_rng(0).normal(size=60)
    tails = [
        PredictiveTail.fit(values, recordings, prior_spread=1.0, prior_strength=4.0)
        for recordings in (np.arange(60), np.repeat(np.arange(6), 10))
    ]
    assert tails[0].dof == 63.0 and tails[1].dof == 9.0
    assert tails[1].value_at(-4.0) > tails[0].value_at(-4.0)


def test_value_at_inverts_the_tail() -> None:
    tail = PredictiveTail(1.0, 0.3, 10, 13.0)
    assert tail.log10_tail(tail.value_at(-5.0)) == pytest.approx(-5.0, rel=1e-6)


def test_recordings_of_one_session_are_less_evidence_and_show_less_spread() -> None:
    values = np.random.default_rng(0).normal(size=30)
    apart, together = (
        PredictiveTail.fit(values, np.arange(30), prior_spread=1.0, prior_strength=4.0, session_correlation=r)
        for r in (0.0, 0.6)
    )
    assert together.recordings == pytest.approx(30 * 0.4 / 1.6)
    assert together.spread > 1.4 * apart.spread
    assert together.value_at(-2.0) > 1.5 * apart.value_at(-2.0)


def test_plausible_means_and_spreads_are_those_of_the_posterior() -> None:
    tail = PredictiveTail(2.0, 0.5, 9.0, 12.0)
    centres, spreads = tail.plausible()
    drawn = 0.5 * np.sqrt(12.0 / np.random.default_rng(0).chisquare(12.0, 200_000))
    assert np.quantile(spreads, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(drawn, [0.1, 0.5, 0.9]), rel=0.03)
    assert centres.mean() == pytest.approx(2.0, abs=1e-6)
    assert centres.std() == pytest.approx(np.sqrt((drawn**2).mean() / 9.0), rel=0.05)


def test_neighbour_correlation_is_found_and_cautious() -> None:
    rng = np.random.default_rng(0)
    values = np.empty(2000)
    values[0] = 0.0
    for i in range(1, 2000):
        values[i] = 0.7 * values[i - 1] + np.sqrt(1 - 0.49) * rng.standard_normal()
    assert neighbour_correlation(values, np.zeros(2000, np.int64)) == pytest.approx(0.7, abs=0.06)
    assert neighbour_correlation(values[:10], np.arange(10)) == pytest.approx(0.3)


def test_transforms() -> None:
    assert log_score(0.0) == pytest.approx(np.log(1e-9))


@pytest.mark.parametrize(
    "wrong", [(float("nan"), 1.0, 5, 5.0), (0.0, 0.0, 5, 5.0), (0.0, 1.0, 0, 5.0), (0.0, 1.0, 5, 0.0)]
)
def test_impossible_calibrations_are_refused(wrong: tuple[float, float, int, float]) -> None:
    with pytest.raises(DetectionError, match="commission"):
        PredictiveTail(*wrong)
