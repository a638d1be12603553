"""The short way into the model's input: the integers that the plain way gives."""

import numpy as np
import pytest

from edge_agent.inference.encoder import standardise
from edge_agent.inference.manifest import InputSpec
from edge_agent.inference.prepare import PatchPreparation
from edge_agent.inference.tensors import TensorSpec

BANDS = 128
MEANS_DB = tuple(np.linspace(9.0, -13.0, BANDS).tolist())


def plainly(patches: np.ndarray, spec: InputSpec, tensor: TensorSpec) -> np.ndarray:
    out = np.empty(patches.shape, tensor.dtype)
    tensor.quantise(standardise(patches, spec), out)
    return out


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
@pytest.mark.parametrize("clip", [None, 5.0, 0.5])
@pytest.mark.parametrize("mean_db", [0.0, MEANS_DB], ids=["one mean", "a mean for each band"])
def test_the_same_integers(dtype: type[np.generic], clip: float | None, mean_db: float | tuple[float, ...]) -> None:
    spec = InputSpec(layout="patch", frames=64, remove_level=True, mean_db=mean_db, std_db=7.124, clip=clip)
    scale = 0.0392 if np.dtype(dtype).itemsize == 1 else 0.0003
    tensor = TensorSpec("x", 0, (64, BANDS, 1), np.dtype(dtype), scale, 3)
    preparation = PatchPreparation.of(spec, tensor, BANDS)
    assert preparation is not None
    rng = np.random.default_rng(5)
    patches = rng.normal(-50.0, 9.0, (11, 64, BANDS)).astype(np.float32)
    patches[3] = -100.0  # silence
    patches[4, ::2] = 60.0
    patches[5] *= 40.0  # beyond every limit
    assert preparation.prepare(list(patches)).tobytes() == plainly(patches, spec, tensor).tobytes()
    (alone,) = preparation.prepare([patches[7]])
    assert alone.tobytes() == plainly(patches[7:8], spec, tensor).tobytes()
    assert preparation.prepare([]).shape == (0, 64, BANDS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    spec = InputSpec(layout="patch", frames=64, remove_level=True)
    preparation = PatchPreparation.of(spec, TensorSpec("x", 0, (64, BANDS, 1), np.dtype(np.int8), 0.1, 0), BANDS)
    assert preparation is not None
    spoilt = np.full((64, BANDS), -50.0, np.float32)
    spoilt[63, 127] = value
    with pytest.raises(ValueError, match="not finite"):
        preparation.prepare([spoilt])


@pytest.mark.parametrize(
    ("spec", "scale"),
    [
        (InputSpec(layout="patch", frames=64, remove_level=False), 0.1),
        (InputSpec(layout="stacked_frames", frames=5, remove_level=True), 0.1),
        (InputSpec(layout="patch", frames=64, remove_level=True, order="bands_frames"), 0.1),
        (InputSpec(layout="patch", frames=64, remove_level=True), 0.0),
    ],
    ids=["with its level", "stacked frames", "bands first", "real numbers"],
)
def test_other_inputs_go_the_plain_way(spec: InputSpec, scale: float) -> None:
    dtype = np.dtype(np.int8 if scale else np.float32)
    assert PatchPreparation.of(spec, TensorSpec("x", 0, (64, BANDS, 1), dtype, scale, 0), BANDS) is None
