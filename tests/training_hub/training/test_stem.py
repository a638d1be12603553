import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
tf = pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from edge_agent.inference.runtime import TFLiteModel  # noqa: E402  # after the skips
from training_hub.training.stem import fold_stem  # noqa: E402

pytestmark = pytest.mark.train

SHAPE = (16, 32, 1)
INPUTS = np.random.default_rng(0).normal(0, 1, (12, *SHAPE)).astype(np.float32)


def int8_model(kernel: int, strides: int = 2, channels: int = 1, padding: str = "same") -> bytes:
    keras.utils.set_random_seed(kernel)
    model = keras.Sequential(
        [
            keras.Input((*SHAPE[:2], channels)),
            keras.layers.Conv2D(5, kernel, strides, padding, activation="relu"),
            keras.layers.Conv2D(3, 3),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.repeat(row[None], channels, axis=3)] for row in INPUTS)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.mark.parametrize("kernel", [2, 6, 10])
def test_a_folded_stem_gives_the_same_integers(kernel: int) -> None:
    content = int8_model(kernel)
    folded = fold_stem(content)
    assert folded != content
    before, after = TFLiteModel(content), TFLiteModel(folded)
    assert after.input.shape == before.input.shape == SHAPE
    for batch in (1, 5, 12):
        np.testing.assert_array_equal(after.run(INPUTS[:batch])[0], before.run(INPUTS[:batch])[0])
    assert np.ptp(after.run(INPUTS)[0]) > 0, "a model that answers all alike would prove nothing"


@pytest.mark.parametrize(
    "other", [{"kernel": 4}, {"kernel": 3}, {"kernel": 6, "strides": 1}, {"kernel": 6, "channels": 2},
              {"kernel": 6, "padding": "valid"}], ids=str,
)  # fmt: skip
def test_any_other_first_layer_stays_as_it_is(other: dict[str, int | str]) -> None:
    content = int8_model(**other)  # type: ignore[arg-type]
    assert fold_stem(content) == content


def test_the_shipped_encoder_is_folded() -> None:
    content = (Path(__file__).parents[3] / "models" / "default" / "encoder.tflite").read_bytes()
    assert fold_stem(content) == content
    assert b"stem_input" in content
