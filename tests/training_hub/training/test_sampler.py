import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from training_hub.training.dataset import Corpus  # noqa: E402  # after the skip
from training_hub.training.sampler import Sampler  # noqa: E402

pytestmark = pytest.mark.train

CPU = torch.device("cpu")


def corpus() -> Corpus:
    """Label 0 has one short recording, label 1 a long one and two of another condition; frames count up."""
    lengths = np.array([70, 400, 100, 200])
    return Corpus(
        frames=np.repeat(np.arange(lengths.sum(), dtype=np.float16)[:, None], 128, axis=1),
        starts=np.concatenate([[0], np.cumsum(lengths)[:-1]]),
        lengths=lengths,
        labels=np.array([0, 1, 1, 1]),
        classes=np.array([0, 1, 2, 2]),
    )


def shares(sampler: Sampler) -> np.ndarray:
    _, classes = sampler.draw(20_000, torch.Generator().manual_seed(1))
    return np.bincount(classes.numpy(), minlength=3) / 20_000


def test_machines_are_alike_and_so_are_their_conditions() -> None:
    np.testing.assert_allclose(shares(Sampler(corpus(), 64, CPU)), [0.5, 0.25, 0.25], atol=0.02)


def test_weights_shift_machines() -> None:
    sampler = Sampler(corpus(), 64, CPU, torch.tensor([3.0, 1.0]))
    np.testing.assert_allclose(shares(sampler), [0.75, 0.125, 0.125], atol=0.02)


def test_patches_are_consecutive_frames_of_one_recording() -> None:
    patches, classes = Sampler(corpus(), 64, CPU).draw(2_000, torch.Generator().manual_seed(2))
    assert patches.shape == (2_000, 64, 128)
    assert (patches[:, 1:] - patches[:, :-1] == 1).all()
    first, last = patches[:, 0, 0].numpy(), patches[:, -1, 0].numpy()
    edges = np.array([0, 70, 470, 570, 770])
    assert (np.searchsorted(edges, first, side="right") == np.searchsorted(edges, last, side="right")).all()
    assert first[classes.numpy() == 0].max() == 70 - 64  # the last place is drawn too
