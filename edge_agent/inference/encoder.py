"""From log-mel patches to embeddings, logits or reconstruction errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import EncoderSpec, InputSpec, OutputSpec
from edge_agent.inference.prepare import PatchPreparation
from edge_agent.inference.runtime import TFLiteModel

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Encoded:
    """What the encoder says of n patches.

    Attributes:
        embeddings: `[n, size]`; size 0 if the model gives none.
        logits: `[n, labels]`; 0 labels if the model gives none.
        errors: `[n]`, mean squared reconstruction error, grows with abnormality; None without a reconstruction.
    """

    embeddings: FloatArray
    logits: FloatArray
    errors: FloatArray | None = None


def standardise(log_mel_db: FloatArray, spec: InputSpec) -> FloatArray:
    """Level removal, scaling and clipping of patches: the one place, for training and for the agent.

    The level is what the gain of a microphone changes; a patch less its own mean is the same at any gain.

    Args:
        log_mel_db: `[n, frames, bands]`, dB.
        spec: The manifest's input description.

    Returns:
        A new array `[n, frames, bands]`, dimensionless.

    Example:
        >>> spec = InputSpec(layout="patch", frames=2, remove_level=True, mean_db=1.0, std_db=2.0)
        >>> standardise(np.array([[[-40.0, -42.0], [-38.0, -40.0]]], np.float32), spec).tolist()
        [[[-0.5, -1.5], [0.5, -0.5]]]
    """
    offset = np.asarray(spec.mean_db, np.float32)
    if spec.remove_level:
        offset = offset + log_mel_db.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    values: FloatArray = np.subtract(log_mel_db, offset, dtype=np.float32)
    values *= np.float32(1.0 / spec.std_db)
    if spec.clip is not None:
        np.clip(values, -spec.clip, spec.clip, out=values)
    return values


class Encoder:
    """The bundle's model with the meaning of its tensors. One instance belongs to one thread.

    Args:
        model: The model, loaded.
        spec: What its tensors mean.
        bands: Mel bands of a frame.

    Raises:
        BundleError: The model's tensors are not what `spec` says.
    """

    def __init__(self, model: TFLiteModel, spec: EncoderSpec, *, bands: int = 128) -> None:
        self.model = model
        self.spec = spec
        self.bands = bands
        expected = spec.input.frames * bands
        if model.input.size != expected:
            raise BundleError(
                f"{model.name}: takes {model.input.size} values, the manifest says {spec.input.frames} frames of "
                f"{bands} bands = {expected}; correct encoder.input"
            )
        for output in spec.outputs:
            self._check_output(output, expected)
        rebuilds = spec.output("reconstruction") is not None
        self._preparation = None if rebuilds else PatchPreparation.of(spec.input, model.input, bands)

    def _check_output(self, output: OutputSpec, input_size: int) -> None:
        outputs = self.model.outputs
        if output.tensor >= len(outputs):
            raise BundleError(f"{self.model.name}: no output {output.tensor}, the model has {len(outputs)}")
        found = outputs[output.tensor].size
        if found != output.size or (output.semantics == "reconstruction" and found != input_size):
            raise BundleError(
                f"{self.model.name}: output {output.tensor} ({output.semantics}) has {found} values, expected "
                f"{input_size if output.semantics == 'reconstruction' else output.size}; correct encoder.outputs"
            )

    def lsb(self, semantics: str) -> float:
        """Size of one quantisation step of an output, 0.0 for a float output or one that is not there."""
        output = self.spec.output(semantics)
        return self.model.outputs[output.tensor].scale if output else 0.0

    def prepare(self, patches: Sequence[FloatArray]) -> NDArray[Any] | None:
        """Patches `[frames, bands]` as the model stores its input, to be encoded later: a quarter of the memory.

        Returns:
            `[n, frames, bands]`; None where this model's input is not made patch by patch.

        Raises:
            ValueError: Values that are not finite.
        """
        shape = (self.spec.input.frames, self.bands)
        if self._preparation is None or any(patch.shape != shape for patch in patches):
            return None
        return self._preparation.prepare(patches)

    def encode_patches(self, patches: Sequence[FloatArray]) -> Encoded:
        """As `encode`, of patches `[frames, bands]` that need not lie side by side; the same results, sooner."""
        prepared = self.prepare(patches)
        return self.encode(np.stack(patches)) if prepared is None else self.encode_prepared(list(prepared))

    def encode_prepared(self, prepared: Sequence[NDArray[Any]]) -> Encoded:
        """Encode patches that `prepare` made; they need not lie side by side."""
        results = self.model.run_written(len(prepared), partial(_write, prepared))
        rows = [self._output(semantics, results) for semantics in ("embedding", "logits")]
        return Encoded(*(np.empty((len(prepared), 0), np.float32) if found is None else found for found in rows))

    def _output(self, semantics: str, results: tuple[FloatArray, ...]) -> FloatArray | None:
        output = self.spec.output(semantics)
        return None if output is None else results[output.tensor].reshape(-1, output.size)

    def encode(self, log_mel_db: FloatArray) -> Encoded:
        """Encode patches.

        Args:
            log_mel_db: `[n, frames, bands]`, dB, as the signal path gives them. A model of stacked frames takes patches
                of any length, so that a whole window can be scored as one.

        Raises:
            ValueError: A shape the model does not take, or values that are not finite.
            BundleError: The interpreter failed.
        """
        frames, spec = self.spec.input.frames, self.spec.input
        exact = spec.layout == "patch"
        if log_mel_db.ndim != 3 or log_mel_db.shape[2] != self.bands or log_mel_db.shape[1] < frames:
            raise ValueError(f"patches have shape {log_mel_db.shape}; expected [n, {frames}, {self.bands}]")
        if exact and log_mel_db.shape[1] != frames:
            raise ValueError(f"patches have {log_mel_db.shape[1]} frames; this model takes exactly {frames}")
        count = log_mel_db.shape[0]
        values = standardise(log_mel_db, spec)
        vectors = self._vectors(values)
        results = self.model.run(vectors)
        errors = None
        if reconstruction := self.spec.output("reconstruction"):
            rebuilt = results[reconstruction.tensor].reshape(vectors.shape[0], reconstruction.size)
            squared = np.square(vectors.reshape(rebuilt.shape) - rebuilt).mean(axis=1)
            errors = _reduce(squared.reshape(count, self._per_patch(log_mel_db.shape[1]), 1), reconstruction)[:, 0]
        return Encoded(self._rows("embedding", results, log_mel_db), self._rows("logits", results, log_mel_db), errors)

    def _vectors(self, values: FloatArray) -> FloatArray:
        """`[n, frames, bands]` to the model's inputs `[n * vectors per patch, ...]`."""
        spec = self.spec.input
        if spec.layout == "stacked_frames":
            windows = np.lib.stride_tricks.sliding_window_view(values, spec.frames, axis=1)  # [n, v, bands, frames]
            values = windows.transpose(0, 1, 3, 2).reshape(-1, spec.frames, self.bands)
        if spec.order == "bands_frames":
            values = np.ascontiguousarray(values.transpose(0, 2, 1))
        return values

    def _per_patch(self, frames: int) -> int:
        return frames - self.spec.input.frames + 1

    def _rows(self, semantics: str, results: tuple[FloatArray, ...], patches: FloatArray) -> FloatArray:
        output = self.spec.output(semantics)
        count, frames, _ = patches.shape
        if output is None:
            return np.empty((count, 0), np.float32)
        return _reduce(results[output.tensor].reshape(count, self._per_patch(frames), output.size), output)


def _write(prepared: Sequence[NDArray[Any]], part: slice, out: NDArray[Any]) -> None:
    for patch, own in zip(prepared[part], out, strict=True):
        own[...] = patch.reshape(own.shape)


def _reduce(values: FloatArray, output: OutputSpec) -> FloatArray:
    """`[n, vectors, size]` to `[n, size]`."""
    if values.shape[1] == 1:
        return np.ascontiguousarray(values[:, 0])
    reduced: FloatArray = values.max(axis=1) if output.reduction == "max" else values.mean(axis=1)
    return reduced
