"""A microphone that was moved or swapped is found, and a fault is not taken for one."""

import numpy as np
import pytest

from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.verdict import HealthCode, HealthFinding
from edge_agent.inference.manifest import Label
from edge_agent.pipeline.identity import Identity
from edge_agent.pipeline.match import Matcher
from edge_agent.pipeline.mismatch import MismatchWatch
from tests.pipeline.likenesses import likeness, toward

LABELS = tuple(
    Label(machine_id=m, machine_type=t) for m, t in (("fan", "fan"), ("lathe_1", "metal_lathe"), ("fan_9", "fan"))
)
MATCHER = Matcher({"fan": likeness(0, limit=0.3, logit_peaks=(9.0, 2.0, 1.0)), "pump": likeness(1, limit=0.3)})

OWN = toward(0, 0.1)
PUMP = toward(1, 0.1)
FAULT = toward(0, 0.5)
FAULT_LIKE_PUMP = toward(0, 0.9, towards=1)
BETWEEN = toward(0, 0.35, towards=1)


def _watch(machine_type: str = "fan") -> MismatchWatch:
    return MismatchWatch("fan", machine_type, MATCHER, LABELS)


def _hear(
    watch: MismatchWatch, embeddings: np.ndarray, label: str = "fan", confidence: float = 0.5, logit: float = 0.0
) -> HealthFinding | None:
    logits = np.full((len(embeddings), len(LABELS)), logit, np.float32)
    window = WindowFeatures(np.zeros((128, 128), np.float32), embeddings, logits)
    return watch.update(window, MATCHER.distances(embeddings), Identity(label, confidence, ()))


def test_a_swapped_microphone_is_found_by_the_third_window_and_named() -> None:
    watch = _watch()
    found = [_hear(watch, PUMP) for _ in range(4)]
    assert [finding is not None for finding in found] == [False, False, True, True]
    assert found[2] is not None
    assert (found[2].code, found[2].blocking) == (HealthCode.IDENTITY_MISMATCH, True)
    assert "sounds like machine pump" in found[2].message and "not like fan" in found[2].message


def test_two_windows_do_nothing_and_three_must_come_within_five() -> None:
    watch = _watch()
    assert [_hear(watch, sound) for sound in (PUMP, PUMP, OWN, OWN, OWN, PUMP, PUMP)] == [None] * 7
    assert _hear(watch, PUMP) is not None


def test_it_stands_until_the_machine_is_back_for_a_while() -> None:
    watch = _watch()
    for _ in range(3):
        _hear(watch, PUMP)
    assert [_hear(watch, OWN) is not None for _ in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    "embeddings",
    [
        pytest.param(OWN, id="normal"),
        pytest.param(FAULT, id="unlike anything"),
        pytest.param(BETWEEN, id="a little nearer to another, not much"),
    ],
)
def test_what_is_no_other_machine_raises_nothing(embeddings: np.ndarray) -> None:
    watch = _watch()
    assert [_hear(watch, embeddings) for _ in range(10)] == [None] * 10


def test_another_type_that_the_encoder_is_sure_of() -> None:
    watch = _watch()
    found = [_hear(watch, FAULT, "lathe_1", 0.95, logit=5.0) for _ in range(3)][-1]
    assert found is not None
    assert not found.blocking  # weaker evidence: the window goes on counting for the alarm
    assert "metal_lathe" in found.message


@pytest.mark.parametrize(
    ("label", "confidence", "logit", "machine_type"),
    [
        pytest.param("lathe_1", 0.6, 5.0, "fan", id="not sure"),
        pytest.param("lathe_1", 0.95, 1.5, "fan", id="no surer than in normal sound"),
        pytest.param("fan_9", 0.95, 5.0, "fan", id="another machine of its type"),
        pytest.param("lathe_1", 0.95, 5.0, "metal_lathe", id="the type it is said to be"),
        pytest.param("unknown", 0.95, 5.0, "fan", id="unknown"),
    ],
)
def test_the_encoder_alone_says_little(label: str, confidence: float, logit: float, machine_type: str) -> None:
    watch = _watch(machine_type=machine_type)
    assert [_hear(watch, FAULT, label, confidence, logit) for _ in range(6)] == [None] * 6


def test_a_machine_without_a_likeness_is_not_watched() -> None:
    watch = MismatchWatch("valve", "valve", MATCHER, LABELS)
    assert [_hear(watch, PUMP) for _ in range(6)] == [None] * 6
