from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.inference.errors import BundleError
from edge_agent.inference.flatbuffer import check_flatbuffer
from edge_agent.inference.runtime import MAX_BATCH, TFLiteModel
from edge_agent.inference.tensors import TensorSpec


@pytest.fixture
def model(tiny_model: Callable[[str], bytes]) -> TFLiteModel:
    return TFLiteModel(tiny_model("tiny_encoder.tflite"), name="tiny")


def test_specs_are_read_from_the_file(model: TFLiteModel) -> None:
    assert model.input.shape == (64, 128, 1)
    assert [spec.shape for spec in model.outputs] == [(3,), (8,)]
    assert all(spec.is_quantised and spec.dtype == np.int8 for spec in (model.input, *model.outputs))


@pytest.mark.parametrize("count", [1, 2, 3, MAX_BATCH - 1, MAX_BATCH, MAX_BATCH + 1, 2 * MAX_BATCH + 5])
def test_outputs_are_identical_for_any_batch_size(model: TFLiteModel, count: int) -> None:
    values = np.random.default_rng(count).normal(0, 1, (count, 64, 128)).astype(np.float32)
    whole = model.run(values)
    for k, single in enumerate(values):
        for got, want in zip(model.run(single[None]), whole, strict=True):
            np.testing.assert_array_equal(got[0], want[k])


def test_an_empty_batch_gives_empty_results(model: TFLiteModel) -> None:
    assert [result.shape for result in model.run(np.empty((0, 64, 128), np.float32))] == [(0, 3), (0, 8)]


def test_results_are_not_views_that_the_next_run_overwrites(model: TFLiteModel) -> None:
    rng = np.random.default_rng(0)
    first = model.run(rng.normal(0, 1, (2, 64, 128)).astype(np.float32))[0]
    kept = first.copy()
    model.run(rng.normal(0, 3, (2, 64, 128)).astype(np.float32))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("shape", [(64, 128), (1, 64, 127), (2, 640)])
def test_wrong_shapes_are_refused(model: TFLiteModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="takes"):
        model.run(np.zeros(shape, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(model: TFLiteModel, bad: float) -> None:
    values = np.zeros((1, 64, 128), np.float32)
    values[0, 3, 4] = bad
    with pytest.raises(ValueError, match="not finite"):
        model.run(values)


HOSTILE = {
    "empty": b"",
    "short": b"TFL3",
    "other file": b"RIFF" + b"\0" * 100,
    "root outside": b"\xff\xff\xff\xffTFL3" + b"\0" * 100,
    "root at the end": (107).to_bytes(4, "little") + b"TFL3" + b"\0" * 100,
    "vtable outside": (16).to_bytes(4, "little") + b"TFL3" + b"\0" * 8 + b"\xff\xff\xff\x7f" + b"\0" * 100,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_bytes_that_are_no_model_are_refused(case: str) -> None:
    with pytest.raises(BundleError, match=r"bad.tflite"):
        check_flatbuffer(HOSTILE[case], name="bad.tflite")
    with pytest.raises(BundleError, match=r"bad.tflite"):
        TFLiteModel(HOSTILE[case], name="bad.tflite")


@settings(max_examples=50, deadline=None)
@given(
    scale=st.floats(1e-4, 10.0),
    zero_point=st.integers(-128, 127),
    steps=st.lists(st.integers(-128, 127), min_size=1, max_size=20),
)
def test_every_stored_integer_survives_the_way_there_and_back(scale: float, zero_point: int, steps: list[int]) -> None:
    spec = TensorSpec("x", 0, (len(steps),), np.dtype(np.int8), scale, zero_point)
    stored = np.array([steps], np.int8)
    out = np.empty_like(stored)
    spec.quantise(spec.dequantise(stored), out)
    np.testing.assert_array_equal(out, stored)
