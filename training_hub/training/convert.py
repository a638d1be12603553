"""Keras models to quantised TFLite, with the deviation that this costs.

Post-training quantisation after B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (CVPR 2018): weights per channel, activations per tensor with ranges from
representative inputs, input and output in int8.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.runtime import TFLiteModel
from training_hub.training.errors import TrainingError
from training_hub.training.stem import fold_stem

_Outputs = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]


class Precision(StrEnum):
    """How to store the model: `int8` throughout, or `float32`, to compare with."""

    INT8 = "int8"
    FLOAT32 = "float32"


@dataclass(frozen=True)
class OutputDeviation:
    """One output, converted against original, on inputs that did not choose the ranges.

    Attributes:
        name: The output's name in the original.
        tensor: Its index among the converted model's outputs.
        size: Values per item.
        rms: Root mean square of the difference.
        relative: The same over the root mean square of the original.
        cosine: Mean cosine between original and converted rows.
        same_argmax: Share of rows whose largest value is in the same place.
    """

    name: str
    tensor: int
    size: int
    rms: float
    relative: float
    cosine: float
    same_argmax: float


@dataclass(frozen=True)
class Conversion:
    """A converted model.

    Attributes:
        content: The `.tflite` file.
        deviations: One per output.
    """

    content: bytes
    deviations: tuple[OutputDeviation, ...]

    def describe(self) -> str:
        """A small table."""
        lines = [f"{len(self.content):,} bytes", "output         size  rms diff  relative    cosine  same maximum"]
        for d in self.deviations:
            lines.append(
                f"{d.name[:14]:14} {d.size:4}  {d.rms:8.4f}  {d.relative:8.4f}  {d.cosine:8.5f}  {d.same_argmax:12.4f}"
            )
        return "\n".join(lines)


def convert(path: Path, inputs: NDArray[np.float32], precision: Precision = Precision.INT8) -> Conversion:
    """Convert a Keras model (`.keras`, `.h5`) or a SavedModel directory.

    Args:
        path: The model. One input; Lambda layers and other stored code are refused.
        inputs: Representative inputs `[n, ...]` as the model takes them; the last fifth only measures the deviation.
        precision: What to convert to.

    Raises:
        TrainingError: The model cannot be read or converted, or `inputs` do not fit it.
    """
    if len(inputs) < 10 or not np.isfinite(inputs).all():
        raise TrainingError(f"{len(inputs)} representative inputs, or some not finite; give 100 or more real ones")
    held_out = max(1, len(inputs) // 5)
    chosen, probe = inputs[:-held_out], inputs[-held_out:]
    converter, original = _open(path)
    import tensorflow as tf  # noqa: PLC0415  # takes seconds; only conversion needs it

    if precision is Precision.INT8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in chosen)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        content: bytes = converter.convert()
        if precision is Precision.INT8:
            content = fold_stem(content)
        expected = original(probe)
    except Exception as error:  # TensorFlow raises whatever its passes raise; the reason is in the text
        text = str(error)
        mend = (
            "; recurrent layers convert with unroll=True, or with an input of a fixed batch of 1"
            if "TensorList" in text
            else ""
        )
        raise TrainingError(f"{path}: cannot be converted: {text[:500]}{mend}") from error
    return Conversion(content, tuple(_deviations(content, probe, expected)))


def _open(path: Path) -> tuple[Any, _Outputs]:
    """A converter for the model at `path`, and the model as a function."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.setdefault("KERAS_BACKEND", "tensorflow") != "tensorflow":
        raise TrainingError("KERAS_BACKEND must be tensorflow for conversion; unset it")
    import tensorflow as tf  # noqa: PLC0415

    if path.is_dir():
        loaded = tf.saved_model.load(str(path))
        if "serving_default" not in loaded.signatures:
            raise TrainingError(f"{path}: no serving_default signature; save it with model.export(...)")
        signature = loaded.signatures["serving_default"]
        names = list(signature.structured_input_signature[1])

        def run(values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
            return {name: out.numpy() for name, out in signature(**{names[0]: tf.constant(values)}).items()}

        return tf.lite.TFLiteConverter.from_saved_model(str(path), signature_keys=["serving_default"]), run
    import keras  # noqa: PLC0415

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: {str(error)[:500]}; give a .keras or .h5 file or a SavedModel") from error
    if len(model.inputs) != 1:
        raise TrainingError(f"{path}: {len(model.inputs)} inputs; the agent feeds one")

    def predict(values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        outputs = model.predict(values, verbose=0, batch_size=64)
        if isinstance(outputs, dict):
            return outputs
        return dict(zip(model.output_names, outputs if isinstance(outputs, list) else [outputs], strict=True))

    return tf.lite.TFLiteConverter.from_keras_model(model), predict


def _deviations(
    content: bytes, probe: NDArray[np.float32], expected: dict[str, NDArray[np.float32]]
) -> Iterator[OutputDeviation]:
    """Compare, with the agent's own runtime. The file forgets the order of outputs: each is found by its values."""
    converted = [np.asarray(out).reshape(len(probe), -1) for out in TFLiteModel(content).run(probe)]
    free = set(range(len(converted)))
    for name, values in expected.items():
        want = np.asarray(values, np.float32).reshape(len(probe), -1)
        fitting = [k for k in free if converted[k].shape == want.shape]
        if not fitting:
            raise TrainingError(f"output {name!r} of {want.shape[1]} values is not in the converted model")
        tensor = min(fitting, key=lambda k: float(np.square(converted[k] - want).sum()))
        free.remove(tensor)
        yield _deviation(name, tensor, want, converted[tensor])


def _deviation(name: str, tensor: int, want: NDArray[np.float32], got: NDArray[np.float32]) -> OutputDeviation:
    rms = float(np.sqrt(np.square(got - want).mean()))
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
    return OutputDeviation(
        name=name,
        tensor=tensor,
        size=want.shape[1],
        rms=rms,
        relative=rms / max(float(np.sqrt(np.square(want).mean())), 1e-12),
        cosine=float(((got * want).sum(axis=1) / np.maximum(norms, 1e-12)).mean()),
        same_argmax=float((got.argmax(axis=1) == want.argmax(axis=1)).mean()),
    )
