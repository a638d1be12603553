"""Prototypes from labels: each recording judged by prototypes made without it."""

import numpy as np
import pytest

from training_hub.retrain.faults import FloatArray, HeardFault, fit_faults, judge_faults

SIZE = 16


def heard(rng: np.random.Generator, towards: int | None, spread: float = 0.05) -> FloatArray:
    row = np.zeros(SIZE)
    row[0] = 1.0
    if towards is not None:
        row[towards] = 0.6
    return (row + rng.normal(0, spread, (4, SIZE))).astype(np.float32)


def faults(names: dict[str, int], groups: int = 6, spread: float = 0.05) -> list[HeardFault]:
    rng = np.random.default_rng(2)
    return [HeardFault(name, f"{name}-{k}", heard(rng, towards, spread)) for name, towards in names.items()
            for k in range(groups)]  # fmt: skip


@pytest.fixture
def normals() -> list[FloatArray]:
    rng = np.random.default_rng(3)
    return [heard(rng, None) for _ in range(10)]


def test_faults_that_differ_are_told_apart(normals: list[FloatArray]) -> None:
    figures = judge_faults(faults({"bearing": 1, "imbalance": 2, "belt": 3}), normals)
    assert figures is not None
    assert figures.clips == 18
    assert figures.named >= 0.8 and figures.wrong == 0.0
    assert figures.strangers_unknown is not None and figures.strangers_unknown >= 0.9


def test_names_that_mean_nothing_are_not_believed(normals: list[FloatArray]) -> None:
    figures = judge_faults(faults({"one": 1, "same": 1}, groups=20), normals)
    assert figures is not None
    assert figures.named <= 0.65
    assert figures.unknown >= 0.2


def test_a_name_of_one_recording_is_no_prototype(normals: list[FloatArray]) -> None:
    clips = [HeardFault(c.label, "the same", c.embeddings) for c in faults({"bearing": 1})]
    assert fit_faults(clips, normals) is None
    assert judge_faults(clips, normals) is None


def test_no_normal_sound_no_directions() -> None:
    assert fit_faults(faults({"bearing": 1}), []) is None


def test_the_limit_holds_the_faults_own_recordings(normals: list[FloatArray]) -> None:
    prototypes = fit_faults(faults({"bearing": 1, "belt": 3}), normals)
    assert prototypes is not None
    rng = np.random.default_rng(9)
    fresh = [prototypes.guess(heard(rng, 1)) for _ in range(40)]
    assert sum(guess is not None and guess.label == "bearing" for guess in fresh) >= 34
    away = prototypes.guess(heard(rng, 7))
    assert away is not None and away.label == "unknown" and away.confidence >= 0.5
