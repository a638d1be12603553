"""No system ever scores a recording that it learnt from, in any protocol, and only supervised ones see anomalies."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from edge_agent.inference.bundle import Bundle
from training_hub.evaluation.context import QUICK, Evaluation, Findings
from training_hub.evaluation.datasets import EvalData
from training_hub.evaluation.listen import HeardClip, Listener
from training_hub.evaluation.protocols import first_shot, leave_one_out, noise, robustness, supervised
from training_hub.evaluation.scorer import Family, FitContext, System

PROTOCOLS = (first_shot, leave_one_out, noise, robustness, supervised)


class Spy:
    """Remembers what it was fitted on and refuses to score it."""

    def __init__(self, family: Family, seen: list[str]) -> None:
        self._family, self._seen = family, seen
        self._known: set[tuple[str, str]] = set()

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        assert not any(clip.clip.is_anomalous for clip in normals)
        assert all(clip.clip.machine_id == context.machine_id for clip in normals)
        assert all(clip.clip.machine_id != context.machine_id for clip in context.siblings)
        assert not any(clip.clip.is_anomalous for clip in context.siblings)
        assert all(clip.clip.is_anomalous for clip in context.anomalies)
        assert bool(context.anomalies) == (self._family is Family.SUPERVISED)
        clips = (*normals, *context.siblings, *context.anomalies)
        self._known = {(clip.clip.machine_id, clip.clip.group) for clip in clips}

    def score(self, clip: HeardClip) -> float:
        assert (clip.clip.machine_id, clip.clip.group) not in self._known
        self._seen.append(clip.clip.name)
        return float(len(clip.clip.name))


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.NAME)
def test_nothing_leaks(
    protocol: object, data: EvalData, listener: Listener, make_bundle: Callable[[EvalData], Bundle]
) -> None:
    assert hasattr(protocol, "run")
    seen: list[str] = []
    ours = System("ours", "spy", Family.OURS, lambda: Spy(Family.OURS, seen))
    labelled = System("labelled", "spy", Family.SUPERVISED, lambda: Spy(Family.SUPERVISED, seen))
    evaluation = Evaluation(
        data=data,
        bundle=make_bundle(data),
        listener=listener,
        float_listener=None,
        identifier=None,
        ours=(ours,),
        baselines=(labelled,),
        effort=replace(QUICK, snrs_db=(0.0,), clips_per_machine=10, rounds=5),
        seed=1,
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(noise, "MACHINE_TYPES", ("fan",))
    try:
        protocol.run(evaluation, Findings())
    finally:
        patch.undo()
    assert len(seen) > 10
    assert any("fan_0/" in name for name in seen)
