"""From patches in dB straight to the integers of the model's input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.manifest import InputSpec
from edge_agent.inference.tensors import TensorSpec

FloatArray = NDArray[np.float32]

_AT_ONCE = 4  # patches; what is made of them on the way then stays in the processor's nearest caches


class PatchPreparation:
    """What `standardise` and `TensorSpec.quantise` do, to the last bit, in fewer passes over the patches.

    Args:
        spec: The manifest's input: a patch without its level, frame after frame.
        tensor: The model's input, of integers.
        bands: Mel bands of a frame.
    """

    def __init__(self, spec: InputSpec, tensor: TensorSpec, bands: int) -> None:
        shape = (spec.frames, bands)
        self._dtype = tensor.dtype
        self._size = np.float32(spec.frames * bands)
        self._mean_db = np.ascontiguousarray(np.broadcast_to(np.asarray(spec.mean_db, np.float32), shape))
        self._per_std = np.float32(1.0 / spec.std_db)
        self._per_step = np.float32(1.0 / tensor.scale)
        self._zero_point = np.float32(tensor.zero_point)
        limits = np.iinfo(tensor.dtype)
        self._low, self._high = np.float32(limits.min), np.float32(limits.max)
        if spec.clip is not None:
            # scaling, rounding and shifting keep the order of numbers: limits may go through them in the values' place
            bounds = np.rint(np.array([-spec.clip, spec.clip], np.float32) * self._per_step) + self._zero_point
            self._low, self._high = max(self._low, bounds[0]), min(self._high, bounds[1])
        self._values = np.empty((_AT_ONCE, *shape), np.float32)

    @classmethod
    def of(cls, spec: InputSpec, tensor: TensorSpec, bands: int) -> "PatchPreparation | None":
        """None for a model of another kind of input."""
        patches = spec.layout == "patch" and spec.order == "frames_bands" and spec.remove_level
        return cls(spec, tensor, bands) if patches and tensor.is_quantised else None

    def prepare(self, patches: Sequence[FloatArray]) -> NDArray[Any]:
        """Patches `[frames, bands]`, dB, as the input stores them: a new array `[n, frames, bands]`.

        Raises:
            ValueError: Values that are not finite.
        """
        out = np.empty((len(patches), *self._values.shape[1:]), self._dtype)
        for first in range(0, len(patches), _AT_ONCE):
            some = patches[first : first + _AT_ONCE]
            values = self._values[: len(some)]
            for patch, own in zip(some, values, strict=True):
                level = np.add.reduce(patch.reshape(-1), dtype=np.float32) / self._size
                if not np.isfinite(level):  # the mean of numbers one of which is not finite is not
                    raise ValueError("patches hold values that are not finite; drop frames of lost samples before")
                np.add(self._mean_db, level, out=own)
                np.subtract(patch, own, out=own)
            np.multiply(values, self._per_std, out=values)
            np.multiply(values, self._per_step, out=values)
            np.rint(values, out=values)
            np.add(values, self._zero_point, out=values)
            np.clip(values, self._low, self._high, out=values)
            np.copyto(out[first : first + len(some)], values, casting="unsafe")
        return out
