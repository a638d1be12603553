"""Identity from logits."""

import numpy as np
import pytest

from edge_agent.inference.errors import BundleError
from edge_agent.pipeline.identity import UNKNOWN, Identifier, IdentityCalibration

LABELS = ("fan_1", "fan_2", "pump_1", "pump_2")


def test_the_mean_of_the_patches_decides() -> None:
    logits = np.array([[5, 0, 0, 0], [0, 4, 0, 0], [0, 4, 0, 0]], np.float32)
    identity = Identifier(LABELS, IdentityCalibration()).identify(logits)
    assert identity is not None
    assert identity.label == "fan_2"
    assert [c.label for c in identity.top] == ["fan_2", "fan_1", "pump_1"]
    expected = np.exp([5 / 3, 8 / 3, 0, 0])
    assert identity.confidence == pytest.approx(expected[1] / expected.sum())


def test_an_unsure_answer_is_unknown_and_still_names_candidates() -> None:
    identity = Identifier(LABELS, IdentityCalibration(min_confidence=0.9)).identify(
        np.array([[1, 0, 0, 0]], np.float32)
    )
    assert identity is not None
    assert identity.label == UNKNOWN
    assert identity.top[0].label == "fan_1"


def test_temperature_softens() -> None:
    logits = np.array([[4, 0, 0, 0]], np.float32)
    sharp = Identifier(LABELS, IdentityCalibration(temperature=1.0)).identify(logits)
    soft = Identifier(LABELS, IdentityCalibration(temperature=4.0)).identify(logits)
    assert sharp is not None and soft is not None
    assert soft.confidence < sharp.confidence


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_nothing_to_go_by_is_no_identity(shape: tuple[int, int]) -> None:
    assert Identifier(LABELS, IdentityCalibration()).identify(np.zeros(shape, np.float32)) is None


def test_huge_logits_stay_finite() -> None:
    identity = Identifier(LABELS, IdentityCalibration()).identify(np.array([[1e30, -1e30, 0, 0]], np.float32))
    assert identity is not None
    assert identity.confidence == 1.0


TYPES = ("fan", "fan", "pump", "pump")
CENTRES = IdentityCalibration(
    min_confidence=0.6,
    centres=np.array([[1, 0, 0]], np.float32),
    centre_labels=np.array([0], np.int64),
    min_cosine=0.5,
)


def test_machines_of_one_type_speak_together() -> None:
    logits = np.array([[2.0, 1.9, 2.2, -9.0]], np.float32)  # pump_1 leads, but a fan it is
    identity = Identifier(LABELS, CENTRES, TYPES).identify(logits, np.array([[1, 0, 0]], np.float32))
    assert identity is not None
    assert (identity.label, identity.top[0].label) == ("fan_1", "fan_1")
    weights = np.exp(logits[0].astype(np.float64))
    assert identity.confidence == pytest.approx(weights[:2].sum() / weights.sum())


@pytest.mark.parametrize(
    ("logit", "embedding", "label"),
    [
        pytest.param(0, [1, 0, 0], "fan_1", id="as heard"),
        pytest.param(1, [0.8, 0.6, 0], "fan_2", id="another of the type, alike"),
        pytest.param(0, [0, 1, 0], UNKNOWN, id="sure, but unlike what was heard"),
        pytest.param(2, [1, 0, 0], UNKNOWN, id="of a type that was never heard"),
    ],
)
def test_what_was_never_heard_is_unknown(logit: int, embedding: list[float], label: str) -> None:
    logits = np.zeros((1, 4), np.float32)
    logits[0, logit] = 20.0
    identity = Identifier(LABELS, CENTRES, TYPES).identify(logits, np.array([embedding], np.float32))
    assert identity is not None
    assert identity.label == label


def test_a_calibration_is_read_as_it_was_written() -> None:
    read = IdentityCalibration.from_arrays(CENTRES.to_arrays(), labels=4, size=3)
    assert (read.temperature, read.min_confidence, read.min_cosine) == (1.0, 0.6, 0.5)
    assert read.centres is not None and np.array_equal(read.centres, [[1, 0, 0]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limits", np.array([0.0, 0.5, 0.5])),
        ("limits", np.array([1.0, 1.5, 0.5])),
        ("limits", np.array([1.0, 0.5])),
        ("centres", np.ones((1, 4), np.float32)),
        ("centre_labels", np.array([4])),
        ("centre_labels", np.array([-1])),
        ("centre_labels", None),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(name: str, value: np.ndarray | None) -> None:
    arrays = {k: v for k, v in (CENTRES.to_arrays() | {name: value}).items() if v is not None}
    with pytest.raises(BundleError, match="calibrate the identity again"):
        IdentityCalibration.from_arrays(arrays, labels=4, size=3)
