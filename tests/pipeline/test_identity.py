"""Identity from logits."""

import numpy as np
import pytest

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
