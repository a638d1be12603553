"""The small adapter over `ai_edge_litert` or `tflite_runtime`: bytes of a model in, float32 batches through it."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.chatter import without_chatter
from edge_agent.inference.errors import BundleError
from edge_agent.inference.flatbuffer import check_flatbuffer
from edge_agent.inference.tensors import TensorSpec, read_spec

_RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
# Activations of a batch lie in memory together; beyond 16 patches the time per patch no longer falls.
MAX_BATCH = 16


def find_runtime() -> tuple[str, Callable[..., Any]]:
    """The installed interpreter: its package's name and the `Interpreter` class.

    Raises:
        BundleError: Neither runtime is installed.
    """
    for module in _RUNTIMES:
        try:
            return module.split(".", maxsplit=1)[0], importlib.import_module(module).Interpreter
        except ImportError:
            continue
    raise BundleError("no TFLite runtime is installed; pip install ai-edge-litert, or the extra [tflite-runtime]")


class TFLiteModel:
    """One TFLite model on one thread.

    An instance is not safe to share between threads: its tensors are its buffers. Each result is the same for every
    batch size, because integer kernels accumulate exactly and never across items.

    Args:
        content: The model file's bytes, verified by the caller.
        name: The file's name, for messages.

    Raises:
        BundleError: The bytes are no model, or one that this runtime cannot prepare.
    """

    def __init__(self, content: bytes, *, name: str = "model.tflite") -> None:
        check_flatbuffer(content, name=name)
        self.name = name
        self.runtime, interpreter = find_runtime()
        try:
            with without_chatter():
                self._interpreter = interpreter(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{name}: {self.runtime} cannot load the model: {error}; convert it again") from error
        if len(inputs) != 1 or not outputs:
            raise BundleError(f"{name}: {len(inputs)} inputs and {len(outputs)} outputs; expected one input")
        self.input: TensorSpec = read_spec(inputs[0], model=name)
        self.outputs: tuple[TensorSpec, ...] = tuple(read_spec(detail, model=name) for detail in outputs)
        self._fixed_batch = self._read_fixed_batch(inputs[0])
        self._batch = int(inputs[0]["shape"][0])

    def _read_fixed_batch(self, detail: dict[str, Any]) -> int | None:
        """The model's batch size where the file fixes it, else None."""
        signature = [int(size) for size in detail.get("shape_signature", detail["shape"])]
        if signature[0] == -1:
            return None
        if signature[0] != 1:
            raise BundleError(f"{self.name}: fixed batch of {signature[0]}; convert it with a batch of 1 or a free one")
        return 1

    def run(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Run a batch of any size.

        Args:
            values: `[n, *input.shape]`, or with as many values per item, real numbers (not yet quantised).

        Returns:
            One array `[n, *shape]` per output, in real numbers.

        Raises:
            BundleError: The interpreter failed on this input.
            ValueError: `values` has not the input's size, or is not finite.
        """
        if values.ndim < 2 or int(np.prod(values.shape[1:], dtype=np.int64)) != self.input.size:
            raise ValueError(f"{self.name} takes [n, {self.input.shape}], got {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{self.name}: input has values that are not finite; drop frames of lost samples before")
        items = values.reshape(values.shape[0], *self.input.shape)
        return self.run_written(len(items), lambda part, out: self.input.quantise(items[part], out))

    def run_written(self, count: int, write: Callable[[slice, NDArray[Any]], None]) -> tuple[NDArray[np.float32], ...]:
        """Run a batch of any size that is written straight into the interpreter's own input.

        Args:
            count: Items.
            write: Writes the items of a slice into an array `[n, *input.shape]`, as the input stores them.

        Raises:
            BundleError: The interpreter failed on this input.
        """
        results = tuple(np.empty((count, *spec.shape), np.float32) for spec in self.outputs)
        for part in self._slices(count):
            self._invoke(part, write)
            for spec, result in zip(self.outputs, results, strict=True):
                result[part] = spec.dequantise(self._interpreter.tensor(spec.index)())
        return results

    def run_again(self) -> None:
        """Run the last batch once more on what its tensors hold, for its time alone."""
        self._interpreter.invoke()

    def _slices(self, count: int) -> Iterator[slice]:
        step = self._fixed_batch or MAX_BATCH
        for start in range(0, count, step):
            yield slice(start, min(count, start + step))

    def _invoke(self, part: slice, write: Callable[[slice, NDArray[Any]], None]) -> None:
        count = part.stop - part.start
        try:
            if count != self._batch:
                # measured: some ten microseconds, the packed weights are kept
                self._interpreter.resize_tensor_input(self.input.index, (count, *self.input.shape))
                self._interpreter.allocate_tensors()
                self._batch = count
        except (ValueError, RuntimeError) as error:
            raise self._failed(count, error) from error
        # a view of the interpreter's own buffer; it must not outlive this statement, or invoke() refuses to run
        write(part, self._interpreter.tensor(self.input.index)())
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise self._failed(count, error) from error

    def _failed(self, count: int, error: Exception) -> BundleError:
        return BundleError(f"{self.name}: {self.runtime} failed on a batch of {count}: {error}")
