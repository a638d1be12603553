"""Fitting the calibration of identities."""

import numpy as np
import pytest

from edge_agent.pipeline.identity import Identifier
from training_hub.training.errors import TrainingError
from training_hub.training.identity import HeardRecording, fit, fit_temperature, rates
from training_hub.training.recording import Recording

LABELS = ("fan_1", "pump_1")
TYPES = ("fan", "pump")


def _heard(machine_id: str, machine_type: str, logits: list[float], embedding: list[float]) -> HeardRecording:
    recording = Recording("r", machine_id, machine_type, "normal", "g", "MIT", np.zeros((64, 128), np.float16))
    return HeardRecording(recording, np.array([logits], np.float32), np.array([embedding], np.float32))


FANS = [_heard("fan_1", "fan", [4, 0], [1, 0.1 * k, 0]) for k in range(3)]
PUMPS = [_heard("pump_1", "pump", [0, 4], [0, 1, 0.1 * k]) for k in range(3)]
OTHERS = [_heard("rain", "background", [4, 0], [0.3, 0.2, 1]), _heard("dog", "background", [0.1, 0], [1, 0, 0])]


def test_limits_tell_known_machines_from_what_was_never_heard() -> None:
    calibration = fit(LABELS, TYPES, [*FANS, *PUMPS], [*FANS, *PUMPS, *OTHERS])
    found = rates(Identifier(LABELS, calibration, TYPES), dict(zip(LABELS, TYPES, strict=True)), [*FANS, *OTHERS])
    assert (found.recall, found.unknown) == (1.0, 1.0)
    assert (found.known_count, found.unknown_count) == (3, 2)


def test_the_temperature_finds_the_scale_of_overconfident_logits() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(size=(4000, 5)) * 2
    odds = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    wanted = np.array([rng.choice(5, p=row) for row in odds])
    assert fit_temperature(true * 2.0, wanted) == pytest.approx(2.0, rel=0.12)


def test_nothing_held_out_is_refused() -> None:
    with pytest.raises(TrainingError, match="give more groups"):
        fit(LABELS, TYPES, FANS, OTHERS)


def test_strangers_come_before_the_known_where_both_cannot_be_had() -> None:
    faint = [_heard("fan_1", "fan", [0.2, 0], [1, 0, 0])]
    loud = [_heard("horn", "background", [0.4, 0], [1, 0, 0])]
    strict = fit(LABELS, TYPES, [*FANS, *PUMPS], [*FANS, *faint, *loud], unknown=1.0)
    lax = fit(LABELS, TYPES, [*FANS, *PUMPS], [*FANS, *faint, *loud], unknown=0.0)
    of_type = dict(zip(LABELS, TYPES, strict=True))
    found = [rates(Identifier(LABELS, c, TYPES), of_type, [*faint, *loud]) for c in (strict, lax)]
    assert [(rate.recall, rate.unknown) for rate in found] == [(0.0, 1.0), (1.0, 0.0)]
