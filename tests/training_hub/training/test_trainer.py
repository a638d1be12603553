from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from training_hub.training.architecture import Architecture, Block  # noqa: E402  # after the skip
from training_hub.training.checkpoint import CHECKPOINT  # noqa: E402
from training_hub.training.dataset import TrainingSet  # noqa: E402
from training_hub.training.errors import TrainingError  # noqa: E402
from training_hub.training.history import draw_curves, read  # noqa: E402
from training_hub.training.plan import TrainingPlan  # noqa: E402
from training_hub.training.trainer import Trainer  # noqa: E402

pytestmark = pytest.mark.train

SMALL = Architecture(stem_channels=6, stem_kernel=4, blocks=(Block(8, 2), Block(8, 2)), embedding=16)
PLAN = TrainingPlan(steps=120, batch=16, learning_rate=5e-3)


def train(directory: Path, data: TrainingSet, plan: TrainingPlan = PLAN, stop_after: int | None = None) -> Trainer:
    trainer = Trainer(plan, data, directory, architecture=SMALL)
    for progress in trainer.run():
        if stop_after is not None and progress.step >= stop_after:
            trainer.save()  # what the clock does every minute
            break
    return trainer


def weights(trainer: Trainer) -> np.ndarray:
    return np.concatenate([array.ravel() for array in trainer.net.keras_weights()])


def test_it_learns_machines_that_differ(tmp_path: Path, training_set: TrainingSet) -> None:
    trainer = train(tmp_path, training_set)
    assert trainer.test_accuracy() > 0.9
    points = read(tmp_path, 10_000)
    assert [point.step for point in points] == [50, 100, 120]
    assert points[-1].loss < points[0].loss
    assert points[-1].test_accuracy == trainer.test_accuracy()
    assert draw_curves(tmp_path, points).stat().st_size > 5_000


def test_the_same_seed_gives_the_same_weights(tmp_path: Path, training_set: TrainingSet) -> None:
    first, second = (weights(train(tmp_path / name, training_set)) for name in "ab")
    np.testing.assert_array_equal(first, second)
    other = train(tmp_path / "c", training_set, PLAN.model_copy(update={"seed": 2}))
    assert not np.array_equal(first, weights(other))


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path, training_set: TrainingSet) -> None:
    whole = weights(train(tmp_path / "whole", training_set))
    train(tmp_path / "cut", training_set, stop_after=50)
    resumed = Trainer(PLAN, training_set, tmp_path / "cut", architecture=SMALL)
    assert resumed.step == 50
    for _ in resumed.run():
        pass
    np.testing.assert_array_equal(weights(resumed), whole)
    assert [point.step for point in read(tmp_path / "cut", 10_000)] == [50, 100, 120]


def test_another_plan_is_not_mixed_into_a_run(tmp_path: Path, training_set: TrainingSet) -> None:
    train(tmp_path, training_set, stop_after=50)
    with pytest.raises(TrainingError, match="seed differ"):
        Trainer(PLAN.model_copy(update={"seed": 9}), training_set, tmp_path, architecture=SMALL)


def test_a_damaged_checkpoint_is_named(tmp_path: Path, training_set: TrainingSet) -> None:
    train(tmp_path, training_set, stop_after=50)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint\.npz.*start again"):
        Trainer(PLAN, training_set, tmp_path, architecture=SMALL)


def test_minutes_become_steps(tmp_path: Path, training_set: TrainingSet) -> None:
    trainer = train(tmp_path, training_set, PLAN.model_copy(update={"steps": 0, "minutes": 0.03}))
    assert trainer.step == trainer.steps >= 60
    assert trainer.spent_s < 60


def test_representative_inputs_are_what_the_net_sees(tmp_path: Path, training_set: TrainingSet) -> None:
    trainer = Trainer(PLAN, training_set, tmp_path, architecture=SMALL)
    inputs = trainer.representative(100)
    assert inputs.shape == (100, 64, 128, 1)
    assert np.abs(inputs).max() <= trainer.input.clip  # type: ignore[operator]  # always set by measure_input
    assert np.std(inputs) == pytest.approx(1.0, abs=0.1)
    assert len(trainer.input.mean_db) == 128  # type: ignore[arg-type]  # per band
