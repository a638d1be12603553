import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.inference.arrays import read_npz, require
from edge_agent.inference.errors import BundleError


def pack(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def test_numbers_flags_and_text_are_read() -> None:
    arrays = read_npz(pack(a=np.arange(6.0).reshape(2, 3), b=np.array([True]), c=np.array(["fan"])), name="x.npz")
    assert arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["b"].tolist() == [True]
    assert arrays["c"].tolist() == ["fan"]


def test_arrays_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_npz(pack(a=np.zeros(3)), name="x.npz")["a"][0] = 1


def test_the_bound_on_unpacked_bytes_counts_all_arrays() -> None:
    content = pack(a=np.zeros(1000), b=np.zeros(1000))
    assert len(read_npz(content, name="x.npz", max_bytes=17_000)) == 2
    with pytest.raises(BundleError, match="unpacks to more than 12000"):
        read_npz(content, name="x.npz", max_bytes=12_000)


def test_too_many_arrays_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for k in range(300):
            archive.writestr(f"a{k}.npy", b"")
    with pytest.raises(BundleError, match="300 arrays"):
        read_npz(stream.getvalue(), name="x.npz")


@pytest.mark.parametrize("dtype", ["datetime64[s]", "complex64", "V8", "S4"])
def test_types_other_than_numbers_and_text_are_refused(dtype: str) -> None:
    with pytest.raises(BundleError, match=r"x.npz\[a\]"):
        read_npz(pack(a=np.zeros(2, dtype)), name="x.npz")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_gives_an_error_or_sound_arrays_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(pack(a=np.arange(20, dtype=np.float32), b=np.ones((3, 3))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        arrays = read_npz(bytes(content[: data.draw(st.integers(0, len(content)))]), name="x.npz")
    except BundleError:
        return
    assert all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


@pytest.mark.parametrize(
    ("dtype", "shape", "message"),
    [
        ("float32", (3, None), None),
        ("float32", (None, 4), None),
        ("float64", (3, 4), "expected float64"),
        ("float32", (3, 5), "expected float32"),
        ("float32", (3,), "expected float32"),
    ],
)
def test_require_checks_type_and_shape(dtype: str, shape: tuple[int | None, ...], message: str | None) -> None:
    arrays = read_npz(pack(a=np.zeros((3, 4), np.float32)), name="x.npz")
    if message is None:
        assert require(arrays, "a", name="x.npz", dtype=dtype, shape=shape).shape == (3, 4)
        return
    with pytest.raises(BundleError, match=message):
        require(arrays, "a", name="x.npz", dtype=dtype, shape=shape)


def test_require_names_what_is_missing() -> None:
    with pytest.raises(BundleError, match="'b' is missing"):
        require(read_npz(pack(a=np.zeros(1)), name="x.npz"), "b", name="x.npz", dtype="float32", shape=(1,))
