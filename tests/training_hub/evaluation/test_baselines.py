"""The contract of every scorer, ours and the baselines that are installed."""

import numpy as np
import pytest

from training_hub.evaluation.baselines.catalogue import baselines
from training_hub.evaluation.clips import EvalClip
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.listen import HeardClip, Listener
from training_hub.evaluation.scorer import Family, FitContext, System

INSTALLED = [system for system in baselines() if not system.missing]
_TRAIN_EXTRA = {"torch", "tensorflow", "keras"}


@pytest.fixture(scope="module")
def heard(data: EvalData, listener: Listener) -> dict[str, list[HeardClip]]:
    fan, sibling = data.machines[0], data.machines[1]
    loud = [clip.read_audio for clip in fan.anomalies]
    time_s = np.arange(64_000) / 16_000
    # noise that comes and goes, and a loud tone: what no listener of any kind may take for the fan alone
    gate, tone = np.square(np.sin(2 * np.pi * 3.0 * time_s)), 0.3 * np.sin(2 * np.pi * 3_100.0 * time_s)
    noise = (gate * np.random.default_rng(0).normal(0, 0.3, 64_000) + tone).astype(np.float32)
    odd = [
        EvalClip(f"odd/{k}", fan.machine_type, fan.machine_id, "anomaly", f"odd{k}", lambda read=read: read() + noise)
        for k, read in enumerate(loud)
        if read is not None
    ]
    return {
        "normals": listener.hear_all(fan.normals),
        "siblings": listener.hear_all(sibling.normals),
        "odd": listener.hear_all(odd),
    }


def fitted_scores(system: System, heard: dict[str, list[HeardClip]]) -> tuple[list[float], list[float]]:
    supervised = system.family is Family.SUPERVISED
    context = FitContext(
        "fan", "fan_0", tuple(heard["siblings"]), anomalies=tuple(heard["odd"][:3]) if supervised else (), seed=3
    )
    scorer = system.make()
    scorer.fit(heard["normals"][:12], context)
    return [scorer.score(clip) for clip in heard["normals"][12:]], [scorer.score(clip) for clip in heard["odd"][3:]]


@pytest.mark.parametrize(
    "system",
    [
        pytest.param(system, id=system.name, marks=[pytest.mark.train] if _TRAIN_EXTRA & set(system.requires) else [])
        for system in INSTALLED
    ],
)
def test_scores_are_finite_repeatable_and_grow_with_abnormality(
    system: System, heard: dict[str, list[HeardClip]]
) -> None:
    normal, odd = fitted_scores(system, heard)
    assert np.isfinite([*normal, *odd]).all()
    assert fitted_scores(system, heard) == (normal, odd)
    assert np.median(odd) > np.median(normal)


def test_names_are_unique_and_what_is_missing_is_known() -> None:
    systems = baselines()
    assert len({system.name for system in systems}) == len(systems)
    assert System("x", "x", Family.NORMALS, INSTALLED[0].make, ("no_such_module_here",)).missing == (
        "no_such_module_here",
    )
