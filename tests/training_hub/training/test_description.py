import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from training_hub.training.description import Describer, describe  # noqa: E402  # after the skip

pytestmark = pytest.mark.train


def patches(n: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    colour = torch.randn(n, 1, 128, generator=generator).cumsum(2)
    return colour + torch.randn(n, 64, 128, generator=generator)


def test_the_description_does_not_see_the_level() -> None:
    torch.testing.assert_close(describe(patches() + 20.0), describe(patches()), atol=1e-3, rtol=1e-3)


def test_it_sees_a_raised_band_and_a_flutter() -> None:
    plain = patches()
    raised, fluttering = plain.clone(), plain.clone()
    raised[:, :, 40:44] += 9.0
    fluttering[:, ::2, 40:60] += 9.0
    spectrum, texture = slice(0, 48), slice(48, 64)
    assert ((describe(raised) - describe(plain))[:, spectrum].abs().amax(1) > 0.2).all()
    torch.testing.assert_close(describe(raised)[:, texture], describe(plain)[:, texture], atol=1e-4, rtol=1e-4)
    assert ((describe(fluttering) - describe(plain))[:, texture].abs().amax(1) > 0.1).all()


def test_an_embedding_that_holds_the_description_costs_less_than_one_that_does_not() -> None:
    clean = patches(200)
    describer = Describer(64, clean, generator=torch.Generator().manual_seed(1))
    telling = describe(clean) - describe(clean).mean(0)
    mute = torch.ones_like(telling)
    optimiser = torch.optim.Adam([describer.weight], lr=0.02)
    found = []
    for embeddings in (telling, mute):
        for _ in range(200):
            optimiser.zero_grad()
            loss = describer.loss(embeddings, clean).mean()
            loss.backward()
            optimiser.step()
        found.append(float(loss.detach()))
    assert found[0] < 0.7
    assert found[1] == pytest.approx(1.0, abs=0.15)


def test_only_the_direction_of_an_embedding_counts() -> None:
    clean = patches()
    describer = Describer(16, clean, generator=torch.Generator().manual_seed(1))
    embeddings = torch.randn(len(clean), 16, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(describer.loss(embeddings, clean), describer.loss(5.0 * embeddings, clean))
