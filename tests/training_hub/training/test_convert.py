import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from edge_agent.inference.bundle import load_bundle  # noqa: E402  # after the skips
from edge_agent.inference.runtime import TFLiteModel  # noqa: E402  # after the skips
from training_hub.cli import main  # noqa: E402
from training_hub.training.architecture import Architecture, Block  # noqa: E402
from training_hub.training.convert import Precision, convert  # noqa: E402
from training_hub.training.errors import TrainingError  # noqa: E402
from training_hub.training.keras_net import build_keras_net  # noqa: E402

pytestmark = pytest.mark.train

NET = Architecture(stem_channels=4, stem_kernel=4, blocks=(Block(8, 2), Block(8, 2)), embedding=6)
INPUTS = np.random.default_rng(0).normal(0, 1, (60, 64, 128, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> "keras.Model":
    keras.utils.set_random_seed(0)
    return build_keras_net(NET, 5)


@pytest.mark.parametrize("form", ["net.keras", "net.h5", "saved"])
def test_every_form_converts_to_integers_throughout(model: "keras.Model", tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    model.export(path, verbose=False) if form == "saved" else model.save(path)
    conversion = convert(path, INPUTS)
    runtime = TFLiteModel(conversion.content)
    assert {spec.dtype for spec in (runtime.input, *runtime.outputs)} == {np.dtype(np.int8)}
    assert {d.name: d.size for d in conversion.deviations} == {"embedding": 6, "logits": 5}
    for deviation in conversion.deviations:
        assert 0 < deviation.relative < 0.1
        assert deviation.cosine > 0.99
        assert runtime.outputs[deviation.tensor].size == deviation.size


def test_float_conversion_deviates_by_rounding_only(model: "keras.Model", tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    conversion = convert(tmp_path / "net.keras", INPUTS, Precision.FLOAT32)
    assert all(deviation.relative < 1e-4 for deviation in conversion.deviations)


def test_outputs_of_equal_size_are_told_apart_by_their_values(tmp_path: Path) -> None:
    inputs = keras.Input((8,))
    outputs = {"b": keras.layers.Dense(4)(inputs), "a": keras.layers.Dense(4)(inputs)}
    keras.Model(inputs, outputs).save(tmp_path / "two.keras")
    values = np.random.default_rng(1).normal(0, 1, (50, 8)).astype(np.float32)
    assert all(deviation.cosine > 0.99 for deviation in convert(tmp_path / "two.keras", values).deviations)


def test_stored_code_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((8,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(tmp_path / "evil.keras")
    with pytest.raises(TrainingError, match=r"evil\.keras"):
        convert(tmp_path / "evil.keras", np.ones((50, 8), np.float32))


@pytest.mark.parametrize("name", ["absent.keras", "text.keras", "text.h5"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, name: str) -> None:
    if name.startswith("text"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(TrainingError, match=name):
        convert(tmp_path / name, INPUTS)


def test_too_few_inputs_or_the_wrong_shape(model: "keras.Model", tmp_path: Path) -> None:
    model.save(tmp_path / "net.keras")
    with pytest.raises(TrainingError, match="5 representative inputs"):
        convert(tmp_path / "net.keras", INPUTS[:5])
    with pytest.raises(TrainingError, match="cannot be converted"):
        convert(tmp_path / "net.keras", INPUTS[:, :32])


def test_the_command_prints_the_deviation(
    model: "keras.Model", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "net.keras")
    np.savez(tmp_path / "inputs.npz", inputs=INPUTS)
    out = tmp_path / "out/net.tflite"
    arguments = ["convert", str(tmp_path / "net.keras"), "--representative", str(tmp_path / "inputs.npz")]
    assert main([*arguments, "--out", str(out)]) == 0
    assert "cosine" in capsys.readouterr().out
    assert out.read_bytes()[4:8] == b"TFL3"


@pytest.mark.parametrize("use_bias", [True, False])
def test_batch_norm_is_folded_and_the_bias_kept(tmp_path: Path, use_bias: bool) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(4)
    inputs = keras.Input((640,))
    x = keras.layers.Dense(16, use_bias=use_bias)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    net = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Dense(640, use_bias=use_bias)(x)))
    # running statistics and biases far from their initial 0 and 1: a fold that forgets one of them shows
    net.set_weights([np.abs(rng.normal(1.0, 0.5, w.shape)) if w.ndim == 1 else w for w in net.get_weights()])
    net.save(tmp_path / "ae.keras")
    values = rng.normal(-3.0, 1.0, (60, 640)).astype(np.float32)
    for precision, limit in ((Precision.FLOAT32, 1e-4), (Precision.INT8, 0.05)):
        conversion = convert(tmp_path / "ae.keras", values, precision)
        assert conversion.deviations[0].relative < limit
        interpreter = tf.lite.Interpreter(model_content=conversion.content)
        operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
        assert "FULLY_CONNECTED" in operations
        assert not operations & {"BATCH_NORMALIZATION", "MUL", "ADD", "SUB", "DIV", "RSQRT"}


def test_the_command_writes_a_bundle_and_compares_float_with_int8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    clips = rng.normal(-40.0, 5.0, (24, 60, 128)).astype(np.float32)
    odd = np.arange(24) >= 16
    clips[odd, :, 40:90] += 25.0
    np.savez(tmp_path / "clips.npz", log_mel_db=clips, anomalous=odd, machine_id=np.full(24, "fan_1"))
    np.savez(tmp_path / "inputs.npz", inputs=clips[:16, :5].reshape(16, 640).repeat(4, axis=0))
    inputs = keras.Input((640,))
    keras.Model(inputs, keras.layers.Dense(640)(keras.layers.Dense(4)(inputs))).save(tmp_path / "ae.keras")
    words = ["convert", str(tmp_path / "ae.keras"), "--representative", str(tmp_path / "inputs.npz")]
    words += ["--clips", str(tmp_path / "clips.npz"), "--out", str(tmp_path / "ae.tflite")]
    assert main([*words, "--bundle", str(tmp_path / "bundle"), "--name", "ae"]) == 0
    out = capsys.readouterr().out
    assert "AUC float" in out and "fan_1" in out
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.encoder.outputs[0].semantics == "reconstruction"
    assert bundle.read("encoder.tflite") == (tmp_path / "ae.tflite").read_bytes()


def test_a_saved_model_that_forgot_the_order_of_its_outputs(tmp_path: Path) -> None:
    inputs = keras.Input((64, 128))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(8, 3, 2, activation="gelu")(inputs))
    embedding = keras.layers.UnitNormalization(name="embedding")(keras.layers.Dense(16)(pooled))
    logits = keras.layers.Dense(3, name="logits")(embedding)
    keras.Model(inputs, {"embedding": embedding, "logits": logits}).export(tmp_path / "saved", verbose=False)
    np.savez(tmp_path / "inputs.npz", inputs=INPUTS[..., 0])
    words = ["convert", str(tmp_path / "saved"), "--representative", str(tmp_path / "inputs.npz")]
    words += ["--out", str(tmp_path / "net.tflite"), "--bundle", str(tmp_path / "bundle"), "--layout", "patch"]
    words += ["--frames", "64", "--semantics", "embedding", "logits", "--labels", "a:fan", "b:fan", "c:pump"]
    assert main(words) == 0
    outputs = {output.semantics: output.size for output in load_bundle(tmp_path / "bundle").manifest.encoder.outputs}
    assert outputs == {"embedding": 16, "logits": 3}


def test_what_cannot_be_converted_says_what_to_do(tmp_path: Path) -> None:
    inputs = keras.Input((64, 128))
    keras.Model(inputs, keras.layers.GRU(4)(inputs)).save(tmp_path / "gru.keras")
    with pytest.raises(TrainingError, match="unroll=True"):
        convert(tmp_path / "gru.keras", INPUTS[..., 0])
