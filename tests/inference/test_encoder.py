import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.encoder import Encoder, standardise
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import EncoderSpec, InputSpec, OutputSpec
from edge_agent.inference.runtime import TFLiteModel

DATA = Path(os.environ.get("MACHINE_SOUND_DATA", Path(__file__).parents[2] / "../shared/data")).resolve()
STACKED = EncoderSpec(
    file="encoder.tflite",
    input=InputSpec(layout="stacked_frames", frames=5, remove_level=False),
    outputs=(OutputSpec(tensor=0, semantics="reconstruction", size=640),),
)


def patches(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-50, 12, (count, 64, 128)).astype(np.float32)


def test_encode_gives_embeddings_and_logits_in_the_manifests_order(bundle_dir: Path) -> None:
    encoded = load_bundle(bundle_dir).encoder().encode(patches(5))
    assert encoded.embeddings.shape == (5, 8)
    assert encoded.logits.shape == (5, 3)
    assert encoded.errors is None
    assert len(np.unique(encoded.embeddings, axis=0)) == 5


def test_gain_changes_no_result(bundle_dir: Path) -> None:
    encoder = load_bundle(bundle_dir).encoder()
    # 8 dB is a power of two: the level is removed without rounding
    np.testing.assert_allclose(
        encoder.encode(patches(4)).embeddings,
        encoder.encode(patches(4) + 8.0).embeddings,
        atol=encoder.lsb("embedding"),
    )


def test_patches_that_lie_anywhere_and_were_prepared_before_are_encoded_alike(bundle_dir: Path) -> None:
    encoder, many = load_bundle(bundle_dir).encoder(), patches(21)
    plain = encoder.encode(many)
    prepared = encoder.prepare(list(many))
    assert prepared is not None
    for found in (encoder.encode_patches(list(many)), encoder.encode_prepared(list(prepared))):
        assert found.embeddings.tobytes() == plain.embeddings.tobytes()
        assert found.logits.tobytes() == plain.logits.tobytes()


def test_a_model_of_another_kind_encodes_patches_the_plain_way(autoencoder_dir: Path) -> None:
    encoder = load_bundle(autoencoder_dir).encoder()
    assert encoder.prepare(list(patches(2))) is None
    errors, plain = encoder.encode_patches(list(patches(2))).errors, encoder.encode(patches(2)).errors
    assert errors is not None and plain is not None and errors.tobytes() == plain.tobytes()


def test_no_patches_give_no_rows(bundle_dir: Path, autoencoder_dir: Path) -> None:
    assert load_bundle(bundle_dir).encoder().encode(patches(0)).embeddings.shape == (0, 8)
    encoded = load_bundle(autoencoder_dir).encoder().encode(patches(0))
    assert encoded.errors is not None
    assert encoded.errors.shape == (0,)


@pytest.mark.parametrize("shape", [(64, 128), (1, 63, 128), (1, 65, 128), (1, 64, 64)])
def test_other_shapes_are_refused(bundle_dir: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="patches have"):
        load_bundle(bundle_dir).encoder().encode(np.zeros(shape, np.float32))


def test_frames_of_lost_samples_are_refused(bundle_dir: Path) -> None:
    spoilt = patches(2)
    spoilt[1, 3, 7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        load_bundle(bundle_dir).encoder().encode(spoilt)


def test_standardise_is_what_the_manifest_says() -> None:
    mean = tuple(float(band) for band in range(128))
    spec = InputSpec(layout="patch", frames=64, remove_level=True, mean_db=mean, std_db=4.0)
    values = patches(3)
    expected = (values - values.mean(axis=(1, 2), keepdims=True) - np.array(mean, np.float32)) / 4.0
    np.testing.assert_allclose(standardise(values, spec), expected, rtol=1e-4, atol=1e-4)


def test_stacked_frames_are_vectors_of_consecutive_frames(tiny_model: Callable[[str], bytes]) -> None:
    model = TFLiteModel(tiny_model("tiny_autoencoder.tflite"))
    window = patches(1)
    errors = Encoder(model, STACKED).encode(window).errors
    vectors = np.stack([window[0, k : k + 5].reshape(640) for k in range(60)])
    (rebuilt,) = model.run(vectors)
    assert errors is not None
    np.testing.assert_allclose(errors, [np.square(vectors - rebuilt).mean()], rtol=1e-5)


def test_reduction_max_takes_the_worst_vector(tiny_model: Callable[[str], bytes]) -> None:
    model = TFLiteModel(tiny_model("tiny_autoencoder.tflite"))
    worst = STACKED.model_copy(update={"outputs": (STACKED.outputs[0].model_copy(update={"reduction": "max"}),)})
    mean_error, max_error = (Encoder(model, spec).encode(patches(2)).errors for spec in (STACKED, worst))
    assert mean_error is not None and max_error is not None
    assert (max_error > mean_error).all()


def test_bands_frames_order_is_transposed(tiny_model: Callable[[str], bytes]) -> None:
    model = TFLiteModel(tiny_model("tiny_autoencoder.tflite"))
    transposed = STACKED.model_copy(update={"input": STACKED.input.model_copy(update={"order": "bands_frames"})})
    window = patches(1)
    vectors = np.stack([window[0, k : k + 5].T.reshape(640) for k in range(60)])
    (rebuilt,) = model.run(vectors)
    errors = Encoder(model, transposed).encode(window).errors
    np.testing.assert_allclose(errors, [np.square(vectors - rebuilt).mean()], rtol=1e-5)


def test_a_spec_that_does_not_fit_the_model_is_refused(tiny_model: Callable[[str], bytes]) -> None:
    model = TFLiteModel(tiny_model("tiny_encoder.tflite"), name="tiny.tflite")
    with pytest.raises(BundleError, match=r"tiny.tflite: takes 8192 values.*5 frames"):
        Encoder(model, STACKED)


@pytest.mark.data
def test_the_mlperf_tiny_autoencoder_runs_unchanged() -> None:
    """Its published figure is for 248 clips of four machines; on the three at hand it measured a mean AUC of .825."""
    peer, clips = DATA.parent / "peers/mlperf_tiny_ad01_int8.tflite", DATA / "toycar_logmel/ids_01_02_03.npz"
    if not (peer.is_file() and clips.is_file()):
        pytest.skip("needs the development recordings and the peer model beside them (MACHINE_SOUND_DATA)")
    encoder = Encoder(TFLiteModel(peer.read_bytes()), STACKED)
    with np.load(clips, allow_pickle=False) as arrays:
        windows, anomalous = arrays["log_mel_db"].astype(np.float32), arrays["anomalous"].astype(bool)
        machines = arrays["machine_id"]
    errors = np.concatenate([encoder.encode(window[None]).errors for window in windows])  # type: ignore[misc]
    areas = []
    for machine in np.unique(machines):
        bad, good = errors[(machines == machine) & anomalous], errors[(machines == machine) & ~anomalous]
        areas.append(float((bad[:, None] > good[None, :]).mean()))
    assert np.mean(areas) == pytest.approx(0.825, abs=0.01)
