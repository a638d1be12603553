"""The encoder anew: ended half way, gone on with, and a bundle that verifies."""

from pathlib import Path

import pytest

from edge_agent.inference.bundle import load_bundle
from tests.training_hub.retrain.made import known, learnt, window
from training_hub.jobs.context import JobCancelledError
from training_hub.retrain.encoder import teaching, train_encoder
from training_hub.retrain.request import RetrainRequest
from training_hub.training.simulated import SimulationPlan
from training_hub.training.simulated_noise import NoisePlan

pytestmark = pytest.mark.train


def test_only_what_may_be_given_away_teaches_where_that_is_asked_for() -> None:
    clips = [
        learnt(known(k, anomalous=odd, licence=licence), window(k))
        for k, (licence, odd) in enumerate(
            [("own recordings", False), ("MIT", False), ("none stated", False), ("own recordings", True)]
        )
    ]
    assert [recording.licence for recording in teaching(clips, clean_only=True)] == ["own recordings", "MIT"]
    assert len(teaching(clips, clean_only=False)) == 3


@pytest.mark.timeout(600)
def test_an_encoder_is_ended_and_gone_on_with(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorflow")
    clips = [learnt(known(k, f"pump_{m}"), window(100 * m + k, m)) for m in (0, 1) for k in range(6)]
    request = RetrainRequest(what=("encoder",), steps=2)
    noise = NoisePlan(coloured=3, events=1, strangers_per_type=0)
    few = SimulationPlan(machines_per_type=1, recordings=2, recording_s=3.0, faulty=0, siblings=0, noise=noise)
    points: list[tuple[str, int, float]] = []
    ended_at: list[str] = []

    def end_soon(share: float, message: str) -> None:
        if message.startswith("step"):
            ended_at.append(message)
            raise JobCancelledError("enough")

    def train(progress: object) -> object:
        return train_encoder(
            teaching(clips, clean_only=True), load_bundle("models/default"), request, tmp_path / "work",
            tmp_path / "cache", version="9.9.9", progress=progress,  # type: ignore[arg-type]
            point=lambda name, step, value: points.append((name, step, value)), simulation=few,
        )  # fmt: skip

    with pytest.raises(JobCancelledError):
        train(end_soon)
    assert max(step for _, step, _ in points) == 2
    points.clear()
    bundle = train(lambda share, message: None)
    assert not points  # nothing is done twice
    assert bundle.manifest.version == "9.9.9"  # type: ignore[attr-defined]
    assert {label.machine_id for label in bundle.manifest.labels} >= {"site.pump_0", "site.pump_1"}  # type: ignore[attr-defined]
    assert "generic" in bundle.manifest.machine_types  # type: ignore[attr-defined]
    bundle.self_test()  # type: ignore[attr-defined]
