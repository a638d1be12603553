"""How much data a WAV, RF64 or Wave64 header promises: libsndfile silently shortens a truncated file."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_MAX_CHUNKS = 4096
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_GUID_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_DATA = b"data" + _W64_GUID_TAIL


class RiffError(ValueError):
    """The chunks of the file make no sense."""


def container(head: bytes) -> str | None:
    """The container that the first 16 bytes of a file announce: `wav`, `rf64`, `w64`, `flac` or none of them."""
    if head[:4] == b"fLaC":
        return "flac"
    if head == _W64_RIFF:
        return "w64"
    if head[8:12] == b"WAVE":
        return {b"RIFF": "wav", b"RF64": "rf64", b"BF64": "rf64"}.get(head[:4])
    return None


def declared_data_end(file: BinaryIO, kind: str) -> int:
    """Byte position at which the samples end by the header's account; compare it with the file's size.

    Args:
        file: The file, open for reading; its position is changed.
        kind: `wav`, `rf64` or `w64`, as `container` says.

    Raises:
        RiffError: There is no data chunk, or the chunks do not add up.
    """
    return _w64_data_end(file) if kind == "w64" else _riff_data_end(file)


def _riff_data_end(file: BinaryIO) -> int:
    size_64: int | None = None
    position = file.seek(12)
    for _ in range(_MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            break
        name, size = struct.unpack("<4sI", header)
        position += 8
        if name == b"ds64" and size_64 is None:
            sizes = file.read(16)
            if len(sizes) < 16:
                break
            size_64 = struct.unpack("<QQ", sizes)[1]
        if name == b"data":
            return position + (size_64 if size == 0xFFFFFFFF and size_64 is not None else size)
        position = file.seek(position + size + size % 2)
    msg = "it has no data chunk"
    raise RiffError(msg)


def _w64_data_end(file: BinaryIO) -> int:
    total = file.seek(0, os.SEEK_END)
    position = file.seek(40)
    for _ in range(_MAX_CHUNKS):
        header = file.read(24)
        if len(header) < 24:
            break
        name, size = struct.unpack("<16sQ", header)
        if size < 24 or (name != _W64_DATA and size > total):
            msg = f"its chunk at byte {position} says that it is {size} bytes long"
            raise RiffError(msg)
        if name == _W64_DATA:
            return int(position + size)
        position = file.seek(position + (size + 7) // 8 * 8)
    msg = "it has no data chunk"
    raise RiffError(msg)
