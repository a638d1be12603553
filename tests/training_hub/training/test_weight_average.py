import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from training_hub.training.weight_average import average_weights  # noqa: E402  # after the skip

pytestmark = pytest.mark.train


def module(value: float) -> torch.nn.Module:
    made = torch.nn.BatchNorm1d(2)
    torch.nn.init.constant_(made.weight, value)
    made.running_mean.fill_(value)
    made.num_batches_tracked.fill_(int(value))
    return made


def test_the_first_weights_are_soon_forgotten() -> None:
    mean, current = module(100.0), module(1.0)
    for step in range(30):
        average_weights(mean, current, step, decay=0.999)
    assert mean.weight.tolist() == pytest.approx([1.0, 1.0], abs=0.01)


def test_a_warm_mean_moves_by_its_decay_buffers_included() -> None:
    mean, current = module(0.0), module(1.0)
    average_weights(mean, current, step=1_000_000, decay=0.9)
    assert mean.weight.tolist() == pytest.approx([0.1, 0.1])
    assert mean.running_mean.tolist() == pytest.approx([0.1, 0.1])
    assert mean.num_batches_tracked == 1  # a count has no mean
