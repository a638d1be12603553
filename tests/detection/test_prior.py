import numpy as np
import pytest

from edge_agent.detection.errors import DetectionError
from edge_agent.detection.prior import DetectorPrior, TypePrior
from tests.detection.sounds import prior


def test_arrays_bring_the_same_prior_back() -> None:
    original = prior()
    loaded = TypePrior.from_arrays(original.name, original.to_arrays())
    again = TypePrior.from_arrays(original.name, loaded.to_arrays())
    assert loaded.digest == again.digest
    assert loaded.machines == 2 and set(loaded.detectors) == set(original.detectors)
    assert loaded.of("shape").weight == 1.0 and loaded.of("texture").strength == 50.0
    assert np.allclose(loaded.of("shape").covariance, original.of("shape").covariance, rtol=1e-6)  # type: ignore[arg-type]


def test_a_detector_unknown_to_the_type_weighs_nothing() -> None:
    assert prior(shape=1.0).of("embedding").weight == 0.0


def test_another_covariance_is_another_digest() -> None:
    assert prior().digest != prior(shape=1.0).digest
    assert prior().digest == prior().digest


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        ("format", np.array([2], np.int32), "format 2"),
        ("format", None, "missing"),
        ("shape.numbers", np.full(6, np.nan), "NaN"),
        ("shape.numbers", np.array([-1.0, 50, 0.1, 0.1, 0.25, 4]), "weight is -1"),
        ("shape.numbers", np.ones(5), "not what a fit writes"),
        ("shape.covariance", np.ones(11, np.float32), "no lower triangle"),
        ("shape.covariance", -np.ones(8256, np.float32), "not positive definite"),
        ("shape.covariance", np.array(["x"] * 8256), "not what a fit writes"),
        ("detectors", np.array([1, 2]), "not what a fit writes"),
    ],
)
def test_hostile_arrays_are_refused(key: str, array: np.ndarray | None, message: str) -> None:
    arrays = {k: v for k, v in prior().to_arrays().items() if k != key}
    if array is not None:
        arrays[key] = array
    with pytest.raises(DetectionError, match=message):
        TypePrior.from_arrays("made_up", arrays)


@pytest.mark.parametrize(
    "covariance", [np.ones((2, 3)), np.array([[1.0, 0.5], [0.4, 1.0]]), np.array([[1.0, 2.0], [2.0, 1.0]])]
)
def test_what_is_no_covariance_is_refused(covariance: np.ndarray) -> None:
    with pytest.raises(DetectionError, match="covariance"):
        DetectorPrior(weight=1.0, covariance=covariance)
