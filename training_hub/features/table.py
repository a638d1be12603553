"""Frames of clips as a Parquet file, and back."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge_agent.signal.settings import SignalSettings
from training_hub.features.errors import FeatureError

FloatArray = NDArray[np.float32]
Precision = Literal["float32", "float16"]

_BANDS = SignalSettings().n_mels
_LEVEL = 3


def parquet_bytes(clips: Mapping[str, FloatArray], precision: Precision) -> bytes:
    """A file with a row per clip: `sha256`, `frames`, `log_mel_db` as a list of frames of 128 numbers, dB.

    Args:
        clips: Frames `[frames, 128]` by the clip's SHA-256.
        precision: Of the numbers.
    """
    kind = pa.float16() if precision == "float16" else pa.float32()
    lengths = [len(frames) for frames in clips.values()]
    values = np.concatenate(list(clips.values())).astype(precision).ravel()
    frames = pa.FixedSizeListArray.from_arrays(pa.array(values, kind), _BANDS)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    table = pa.table(
        {
            "sha256": pa.array(clips.keys(), pa.string()),
            "frames": pa.array(lengths, pa.int32()),
            "log_mel_db": pa.ListArray.from_arrays(offsets, frames),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=_LEVEL, use_dictionary=False)
    return bytes(sink.getvalue())


def hashes_in(content: bytes, *, name: str) -> list[str]:
    """The clips of a file, without reading their frames.

    Raises:
        FeatureError: It is no such file.
    """
    try:
        return [str(sha256) for sha256 in pq.read_table(pa.BufferReader(content), columns=["sha256"])[0].to_pylist()]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise FeatureError(f"{name}: is damaged ({error})") from error


def frames_in(content: bytes, *, name: str) -> dict[str, FloatArray]:
    """The clips of a file with their frames `[frames, 128]`, dB, float32.

    Raises:
        FeatureError: It is no such file.
    """
    try:
        table = pq.read_table(pa.BufferReader(content)).combine_chunks()
        column = table["log_mel_db"].chunk(0) if table.num_rows else None
    except (pa.ArrowException, OSError, KeyError) as error:
        raise FeatureError(f"{name}: is damaged ({error})") from error
    if column is None:
        return {}
    values = np.asarray(column.values.flatten()).astype(np.float32).reshape(-1, _BANDS)
    offsets = np.asarray(column.offsets)
    return {
        str(sha256): np.ascontiguousarray(values[offsets[k] : offsets[k + 1]])
        for k, sha256 in enumerate(table["sha256"].to_pylist())
    }
