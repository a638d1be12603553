"""What is promised of models/default."""

from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.bundle import Bundle, load_bundle

SHIPPED = Path(__file__).parents[2] / "models" / "default"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(SHIPPED)


def test_it_verifies_and_tests_itself(bundle: Bundle) -> None:
    bundle.self_test()


def test_the_model_keeps_its_budget(bundle: Bundle) -> None:
    entry = next(entry for entry in bundle.manifest.files if entry.path == "encoder.tflite")
    assert entry.size <= 400_000
    measured = {result.name: result.value for result in bundle.manifest.results}
    assert measured["parameters"] <= 350_000
    assert measured["multiply-accumulates"] <= 12_000_000


def test_everything_it_was_trained_on_may_be_shipped(bundle: Bundle) -> None:
    training = bundle.manifest.training
    assert training is not None
    assert all(source.licence.startswith(("MIT", "CC BY 4.0", "Apache-2.0")) for source in training.data)


def test_the_whole_graph_is_in_integers(bundle: Bundle) -> None:
    model = bundle.encoder().model
    assert {spec.dtype for spec in (model.input, *model.outputs)} == {np.dtype(np.int8)}


@pytest.mark.parametrize("count", [2, 7, 16, 33])
def test_results_are_identical_for_any_batch_size(bundle: Bundle, count: int) -> None:
    patches = np.random.default_rng(count).normal(-60, 8, (count, 64, 128)).astype(np.float32)
    encoder = bundle.encoder()
    whole = encoder.encode(patches)
    for k in range(count):
        single = encoder.encode(patches[k : k + 1])
        np.testing.assert_array_equal(single.embeddings[0], whole.embeddings[k])
        np.testing.assert_array_equal(single.logits[0], whole.logits[k])


@pytest.mark.parametrize("gain_db", [-20.0, 3.0, 30.0])
def test_gain_changes_no_number_by_more_than_two_steps(bundle: Bundle, gain_db: float) -> None:
    patches = np.random.default_rng(1).normal(-60, 8, (8, 64, 128)).astype(np.float32)
    encoder = bundle.encoder()
    before, after = encoder.encode(patches), encoder.encode(patches + np.float32(gain_db))
    # the mean of other numbers rounds otherwise, and with it, here and there, an input of the model
    for semantics, got, want in (
        ("embedding", after.embeddings, before.embeddings),
        ("logits", after.logits, before.logits),
    ):
        assert np.abs(got - want).max() <= 2.01 * encoder.lsb(semantics)


def test_the_card_says_what_the_manifest_says(bundle: Bundle) -> None:
    card = bundle.read("MODEL_CARD.md").decode()
    assert f"# {bundle.manifest.name} {bundle.manifest.version}" in card
    for result in bundle.manifest.results:
        assert result.name in card and result.on in card
