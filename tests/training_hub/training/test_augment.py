from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from training_hub.training.augment import AugmentSettings, augment  # noqa: E402  # after the skip
from training_hub.training.heads import SubCentreArcFace, unknown_loss  # noqa: E402

pytestmark = pytest.mark.train

OFF = AugmentSettings(
    eq_db=0, noise_chance=0, background_chance=0, mixup_chance=0, mask_chance=0, gain_db=0, floor_db=200
)


def batch(n: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    patches = torch.randn(n, 64, 128, generator=generator) * 8 - 60
    return patches, torch.arange(n) % 7, torch.randn(n, 64, 128, generator=generator) * 3 - 20


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_everything_off_changes_the_level_only() -> None:
    patches, labels, noise = batch()
    result = augment(patches, labels, noise, generator(), OFF)
    offset = result.patches - patches
    torch.testing.assert_close(offset, offset[:, :1, :1].expand_as(offset), atol=2e-3, rtol=0)
    assert (result.weights == 1).all()
    assert (result.partners == labels).all()


def test_the_same_seed_gives_the_same_batch_and_another_another() -> None:
    patches, labels, noise = batch()
    first, second, other = (augment(patches, labels, noise, generator(s), AugmentSettings()) for s in (5, 5, 6))
    torch.testing.assert_close(first.patches, second.patches, atol=0, rtol=0)
    assert not torch.equal(first.patches, other.patches)


@pytest.mark.parametrize("level_db", [-100.0, 0.0, 60.0])
def test_silence_and_extremes_stay_finite(level_db: float) -> None:
    _, labels, noise = batch()
    flat = torch.full((64, 64, 128), level_db)
    assert torch.isfinite(augment(flat, labels, noise, generator(), AugmentSettings()).patches).all()


def test_the_signal_to_noise_ratio_is_the_one_asked_for() -> None:
    patches, labels, noise = batch()
    noisy = augment(patches, labels, noise, generator(), replace(OFF, noise_chance=1.0, snr_db=(10.0, 10.0)))
    clean = augment(patches, labels, noise, generator(), OFF)
    power = (10 ** (noisy.patches.double() / 10)).mean((1, 2)) / (10 ** (clean.patches.double() / 10)).mean((1, 2))
    torch.testing.assert_close(power, torch.full_like(power, 1.1), atol=1e-3, rtol=0)


def test_mixup_names_both_machines_and_the_louder_first() -> None:
    patches, labels, noise = batch()
    mixed = augment(patches, labels, noise, generator(), replace(OFF, mixup_chance=1.0))
    assert ((mixed.weights >= 0.5) & (mixed.weights <= 1)).all()
    assert (mixed.partners != mixed.classes).any()


def test_background_alone_holds_nothing_of_the_machine() -> None:
    patches, labels, noise = batch()
    alone = augment(patches, labels, noise, generator(), replace(OFF, background_chance=1.0))
    assert alone.background.all()
    offset = alone.patches - noise
    torch.testing.assert_close(offset, offset[:, :1, :1].expand_as(offset), atol=2e-3, rtol=0)


def test_background_is_best_called_nothing_in_particular() -> None:
    sure, torn = torch.tensor([[9.0, 0.0, 0.0]]), torch.zeros(1, 3)
    assert unknown_loss(torn) < unknown_loss(sure)


def test_masks_blank_whole_bands_and_frames() -> None:
    patches, labels, noise = batch()
    masked = augment(patches, labels, noise, generator(), replace(OFF, mask_chance=1.0)).patches
    level = masked.mean((1, 2), keepdim=True)
    assert ((masked - level).abs() < 2).all(1).any(1).float().mean() > 0.5  # a band that is flat over all frames


def test_the_margin_makes_the_task_harder() -> None:
    embeddings, labels = torch.randn(32, 16, generator=generator()), torch.arange(32) % 4
    losses = [
        SubCentreArcFace(4, 16, generator=generator(), device=torch.device("cpu"), margin=margin)
        .loss(embeddings, labels)
        .mean()
        .item()
        for margin in (0.0, 0.2, 0.5)
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[2]


def test_no_easing_is_the_whole_margin_and_all_of_it_none() -> None:
    embeddings, labels = torch.randn(32, 16, generator=generator()), torch.arange(32) % 4
    wide, none = (
        SubCentreArcFace(4, 16, generator=generator(), device=torch.device("cpu"), margin=margin)
        for margin in (0.5, 0.0)
    )
    torch.testing.assert_close(wide.loss(embeddings, labels, easing=0.0), none.loss(embeddings, labels))
    assert (wide.loss(embeddings, labels, easing=1.0) > wide.loss(embeddings, labels, easing=0.5)).all()


def test_the_angular_loss_does_not_see_the_embeddings_length() -> None:
    head = SubCentreArcFace(4, 16, generator=generator(), device=torch.device("cpu"))
    embeddings, labels = torch.randn(8, 16, generator=generator()), torch.arange(8) % 4
    torch.testing.assert_close(head.loss(embeddings, labels), head.loss(7 * embeddings, labels))
