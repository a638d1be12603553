import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.metrics import ScoreSet, auc, bootstrap, group_interval, partial_auc, rate_factor, roc

KNOWN = {
    "perfect": ([0, 0, 1, 1], [1, 2, 3, 4], 1.0, 1.0),
    "reversed": ([1, 1, 0, 0], [1, 2, 3, 4], 0.0, 0.5 * (1 - 0.005 / 0.095)),
    "all tied": ([0, 1, 0, 1], [5, 5, 5, 5], 0.5, 0.5),
    "one pair of four wrong": ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75, 0.5 * (1 + (0.05 - 0.005) / 0.095)),
}


@pytest.mark.parametrize("case", KNOWN)
def test_known_values(case: str) -> None:
    labels, scores, area, partial = KNOWN[case]
    anomalous = np.array(labels, bool)
    assert auc(anomalous, np.array(scores, float)) == pytest.approx(area)
    assert partial_auc(anomalous, np.array(scores, float)) == pytest.approx(partial)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.integers(1, 4)), min_size=3, max_size=60))
def test_agrees_with_scikit_learn_with_ties_and_weights(rows: list[tuple[bool, int, int]]) -> None:
    anomalous = np.array([row[0] for row in rows])
    scores, weights = np.array([row[1] for row in rows], float), np.array([row[2] for row in rows], float)
    if anomalous.all() or not anomalous.any():
        with pytest.raises(EvaluationError, match="normal and anomalous"):
            auc(anomalous, scores)
        return
    assert auc(anomalous, scores) == pytest.approx(roc_auc_score(anomalous, scores))
    assert auc(anomalous, scores, weights) == pytest.approx(roc_auc_score(anomalous, scores, sample_weight=weights))
    assert partial_auc(anomalous, scores) == pytest.approx(roc_auc_score(anomalous, scores, max_fpr=0.1))


@given(st.integers(0, 1000))
def test_order_of_clips_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    anomalous, scores = np.arange(20) % 3 == 0, rng.integers(0, 6, 20).astype(float)
    order = rng.permutation(20)
    assert partial_auc(anomalous, scores) == pytest.approx(partial_auc(anomalous[order], scores[order]))


def test_roc_runs_from_nothing_to_everything() -> None:
    fpr, tpr = roc(np.array([True, False, True]), np.array([3.0, 2.0, 1.0]))
    assert fpr.tolist() == [0, 0, 1, 1]
    assert tpr.tolist() == [0, 0.5, 0.5, 1]


def noisy(groups: int, per_group: int, seed: int = 0) -> ScoreSet:
    rng = np.random.default_rng(seed)
    anomalous = np.repeat(np.arange(groups) % 2 == 0, per_group)
    scores = np.repeat(rng.normal(size=groups) + (np.arange(groups) % 2 == 0), per_group)
    names = tuple(str(g) for g in range(groups) for _ in range(per_group))
    return ScoreSet(scores, anomalous, names)


def test_bootstrap_holds_the_value_and_repeats() -> None:
    scores = noisy(40, 1)
    first = bootstrap([scores], auc, np.random.default_rng(1), rounds=200)
    again = bootstrap([scores], auc, np.random.default_rng(1), rounds=200)
    assert first == again
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.value == auc(scores.anomalous, scores.scores) < first.high


def test_copies_of_clips_within_a_recording_do_not_narrow_the_interval() -> None:
    one = bootstrap([noisy(40, 1)], auc, np.random.default_rng(1), rounds=300)
    many = bootstrap([noisy(40, 8)], auc, np.random.default_rng(1), rounds=300)
    assert one.low is not None
    assert one.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=1e-6)


def test_a_single_recording_has_no_interval() -> None:
    found = bootstrap([noisy(2, 5)], auc, np.random.default_rng(0))
    assert found.low is None
    assert found.high is None


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(EvaluationError, match="1 of 2"):
        ScoreSet(np.array([1.0, np.nan]), np.array([True, False]), ("a", "b"))


@pytest.mark.parametrize(("realised", "factor"), [(0.1, 1.0), (0.2, 2.0), (0.05, 2.0), (0.0, 20.0)])
def test_rate_factor(realised: float, factor: float) -> None:
    assert rate_factor(realised, 0.1, 100) == pytest.approx(factor)


def test_clips_of_a_recording_are_drawn_together() -> None:
    """Ten recordings of twenty clips that agree tell as much as ten clips."""
    rng = np.random.default_rng(0)
    values = np.array([1.0] * 3 + [0.0] * 7)
    clips = group_interval(np.repeat(values, 20), [f"g{k // 20}" for k in range(200)], rng, rounds=2000)
    alone = group_interval(values, [f"g{k}" for k in range(10)], rng, rounds=2000)
    assert clips.value == pytest.approx(0.3)
    assert (clips.low, clips.high) == (pytest.approx(alone.low, abs=0.11), pytest.approx(alone.high, abs=0.11))
    assert clips.high is not None and clips.low is not None and clips.high - clips.low > 0.4


def test_one_recording_has_no_interval() -> None:
    found = group_interval(np.array([0.0, 1.0]), ["g", "g"], np.random.default_rng(0), rounds=10)
    assert (found.value, found.low, found.high) == (0.5, None, None)
