"""Made-up faults, and weights fitted on them within bounds."""

import numpy as np
import pytest

from edge_agent.detection.prior import TypePrior
from tests.training_hub.retrain.made import window
from training_hub.retrain.pseudo import CHANGES
from training_hub.retrain.weights import LEAST_FACTOR, MOST_FACTOR, Spoken, fit_weights
from training_hub.training.fit_type import WEIGHTS, fit_prior
from training_hub.training.normals import MachineNormals


@pytest.mark.parametrize("kind", CHANGES)
def test_a_made_up_fault_is_heard_and_is_no_other_machine(kind: str) -> None:
    normal = window(1)
    for seed in range(20):
        changed = CHANGES[kind](normal, np.random.default_rng(seed))
        assert changed.shape == normal.shape and changed.dtype == np.float32 and np.isfinite(changed).all()
        difference_db = np.abs(changed - normal)
        assert 0.05 < difference_db.max() < 40.0
        assert np.array_equal(changed, CHANGES[kind](normal, np.random.default_rng(seed)))


def prior() -> TypePrior:
    windows = tuple(window(k) for k in range(12))
    return fit_prior("pump", [MachineNormals("pump", "pump_0", windows, np.arange(12))])


def spoken(helpful: str, count: int = 200) -> Spoken:
    rng = np.random.default_rng(4)
    names = tuple(sorted(WEIGHTS))
    normal, changed = rng.normal(0, 1, (count, len(names))), rng.normal(0, 1, (count, len(names)))
    changed[:, names.index(helpful)] += 4.0
    return Spoken(names, normal, changed)


def test_the_detector_that_hears_is_worth_more_and_no_weight_leaves_its_bounds() -> None:
    usual = prior()
    fitted = fit_weights(usual, [spoken("texture")])
    assert fitted.of("texture").weight == pytest.approx(MOST_FACTOR * WEIGHTS["texture"], rel=1e-3)
    for name, weight in WEIGHTS.items():
        found = fitted.of(name).weight
        assert LEAST_FACTOR * weight - 1e-3 <= found <= MOST_FACTOR * weight + 1e-3
        if name != "texture":
            assert found < weight
    assert fitted.of("shape").covariance is usual.of("shape").covariance


def test_few_windows_move_weights_little() -> None:
    few = fit_weights(prior(), [spoken("texture", count=3)])
    assert few.of("texture").weight < 1.6 * WEIGHTS["texture"]


def test_without_machines_weights_stay() -> None:
    usual = prior()
    assert fit_weights(usual, []) is usual
