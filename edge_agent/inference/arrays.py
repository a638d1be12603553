"""Reading `.npz` files as hostile input."""

import io
import re
import zipfile
import zlib
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.errors import BundleError

MAX_ARRAYS = 256
MAX_UNPACKED_BYTES = 128 << 20
_MAX_DIMENSIONS = 8
_MAX_HEADER_BYTES = 4096
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\.npy")
_KINDS = "fiubU"  # numbers, flags and text: nothing that could hold a Python object


def read_npz(content: bytes, *, name: str, max_bytes: int = MAX_UNPACKED_BYTES) -> MappingProxyType[str, NDArray[Any]]:
    """All arrays of an `.npz` file, read-only.

    Args:
        content: The file's bytes.
        name: The file's name, for messages.
        max_bytes: Most that the arrays together may unpack to.

    Raises:
        BundleError: No zip file, damaged, larger than allowed, pickled objects, an array that is not finite.
    """
    arrays: dict[str, NDArray[Any]] = {}
    left = max_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS:
                raise BundleError(f"{name}: {len(members)} arrays; at most {MAX_ARRAYS} are allowed")
            for member in members:
                if not _NAME.fullmatch(member.filename) or member.filename[:-4] in arrays:
                    raise BundleError(f"{name}: array name {member.filename!r} is not allowed or stands twice")
                if member.file_size > left:
                    raise BundleError(f"{name}: unpacks to more than {max_bytes} bytes; refuse or shrink it")
                with archive.open(member) as packed:
                    raw = packed.read(left + 1)
                left -= len(raw)
                arrays[member.filename[:-4]] = _read_array(raw, f"{name}[{member.filename[:-4]}]")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise BundleError(f"{name}: damaged .npz file ({error}); export it again") from error
    return MappingProxyType(arrays)


def _read_array(raw: bytes, name: str) -> NDArray[Any]:
    stream = io.BytesIO(raw)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_MAX_HEADER_BYTES)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream, max_header_size=_MAX_HEADER_BYTES)
    else:
        raise BundleError(f"{name}: .npy version {version}; write it with numpy.savez")
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise BundleError(f"{name}: holds {dtype}, not numbers or text; pickled objects are never read")
    if len(shape) > _MAX_DIMENSIONS:
        raise BundleError(f"{name}: {len(shape)} dimensions; at most {_MAX_DIMENSIONS}")
    count = 1
    for size in shape:  # Python integers: a hostile shape cannot overflow
        count *= int(size)
    if count * dtype.itemsize != len(raw) - stream.tell():
        raise BundleError(f"{name}: shape {shape} of {dtype} does not match its {len(raw) - stream.tell()} bytes")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_MAX_HEADER_BYTES)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BundleError(f"{name}: holds NaN or infinity; fit and export it again")
    array.setflags(write=False)
    return array


def require(
    arrays: MappingProxyType[str, NDArray[Any]], key: str, *, name: str, dtype: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """One array of a file, checked.

    Args:
        arrays: What `read_npz` returned.
        key: The array's name.
        name: The file's name, for messages.
        dtype: The type it must have, e.g. `"float32"`.
        shape: The shape it must have; None leaves an axis free.

    Raises:
        BundleError: Missing, or of another type or shape.
    """
    array = arrays.get(key)
    if array is None:
        raise BundleError(f"{name}: array {key!r} is missing; export the bundle again")
    matches = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not matches:
        raise BundleError(f"{name}[{key}]: {array.dtype} {array.shape}; expected {dtype} {shape}")
    return array
