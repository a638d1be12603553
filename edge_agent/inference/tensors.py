"""What a TFLite tensor at a model's edge looks like, and the step between its integers and real numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.errors import BundleError

_QUANTISED = {np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int16)}
_REAL = np.dtype(np.float32)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model, without its batch axis.

    Attributes:
        name: The tensor's name in the file.
        index: Its index in the interpreter.
        shape: Its shape less the leading batch axis.
        dtype: int8, uint8, int16 (quantised) or float32.
        scale: Size of one step (LSB) of a quantised tensor; 0.0 for a float tensor.
        zero_point: The integer that stands for 0.0.
    """

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    @property
    def is_quantised(self) -> bool:
        """Whether the tensor holds integers."""
        return self.scale > 0.0

    @property
    def size(self) -> int:
        """Values in one item of a batch."""
        return int(np.prod(self.shape, dtype=np.int64))

    def quantise(self, values: NDArray[np.float32], out: NDArray[Any]) -> None:
        """Write `values` into `out` as the tensor stores them, saturating at the ends of its range.

        Args:
            values: `[n, *shape]`, real numbers.
            out: `[n, *shape]` of the tensor's dtype.

        Example:
            >>> spec = TensorSpec("x", 0, (3,), np.dtype(np.int8), 0.5, 10)
            >>> out = np.empty((1, 3), np.int8)
            >>> spec.quantise(np.array([[0.0, 1.0, 1e6]], np.float32), out)
            >>> out.tolist()
            [[10, 12, 127]]
        """
        if not self.is_quantised:
            out[...] = values
            return
        # float32 throughout: a float64 division would round some ties the other way than the training side does
        steps = values * np.float32(1.0 / self.scale)
        np.rint(steps, out=steps)
        steps += np.float32(self.zero_point)
        limits = np.iinfo(self.dtype)
        if steps.size and (
            steps.max() > limits.max or steps.min() < limits.min
        ):  # asked in half the time that clipping takes
            np.clip(steps, limits.min, limits.max, out=steps)
        out[...] = steps

    def dequantise(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """The real numbers that `stored` stands for: a new float32 array of the same shape.

        Example:
            >>> TensorSpec("y", 0, (2,), np.dtype(np.int8), 0.5, 10).dequantise(np.array([[10, 12]], np.int8)).tolist()
            [[0.0, 1.0]]
        """
        values = stored.astype(np.float32)
        if self.is_quantised:
            values -= np.float32(self.zero_point)
            values *= np.float32(self.scale)
        return values


def read_spec(detail: dict[str, Any], *, model: str) -> TensorSpec:
    """Turn an interpreter's tensor description into a `TensorSpec`.

    Args:
        detail: One entry of `get_input_details()` or `get_output_details()`.
        model: The model's file name, for messages.

    Raises:
        BundleError: A type or a quantisation that cannot stand at a model's edge.
    """
    name, dtype = str(detail["name"]), np.dtype(detail["dtype"])
    shape = tuple(int(size) for size in detail["shape"])
    if len(shape) < 2 or min(shape) < 1:
        raise BundleError(f"{model}: tensor {name!r} has shape {shape}; expected a batch axis and at least one more")
    scales = np.asarray(detail["quantization_parameters"]["scales"], np.float32).ravel()
    zero_points = np.asarray(detail["quantization_parameters"]["zero_points"], np.int64).ravel()
    if dtype == _REAL and scales.size == 0:
        return TensorSpec(name, int(detail["index"]), shape[1:], dtype, 0.0, 0)
    if dtype not in _QUANTISED:
        raise BundleError(f"{model}: tensor {name!r} is {dtype}; convert the model to int8, uint8, int16 or float32")
    if scales.size != 1 or zero_points.size != 1:
        raise BundleError(f"{model}: tensor {name!r} has {scales.size} quantisation scales; expected one per tensor")
    scale, zero_point = float(scales[0]), int(zero_points[0])
    limits = np.iinfo(dtype)
    if not (np.isfinite(scale) and scale > 0.0 and limits.min <= zero_point <= limits.max):
        raise BundleError(f"{model}: tensor {name!r} is quantised with scale {scale}, zero point {zero_point}")
    return TensorSpec(name, int(detail["index"]), shape[1:], dtype, scale, zero_point)
