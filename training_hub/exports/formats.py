"""Batches as CSV (RFC 4180) or Parquet, written as they are read."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """UTF-8 with a header; text that a spreadsheet would run as a formula has an apostrophe before it.

    Labels and notes come from people and gateways: `=HYPERLINK(...)` must not act on whoever opens the file
    (OWASP, CSV Injection).
    """
    yield _lines([schema.names])
    for batch in batches:
        if batch.num_rows:
            yield _lines([[_cell(value) for value in row.values()] for row in batch.to_pylist()])


def as_parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """One row group a batch, zstd."""
    sink = _Drain()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def _cell(value: Any) -> str:  # noqa: ANN401  # whatever a column holds
    """A value as text.

    >>> _cell("=1+1"), _cell(-1.5), _cell(None), _cell(True)
    ("'=1+1", '-1.5', '', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


class _Drain(io.RawIOBase):
    """A file that is only ever written at its end, and emptied between."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: Any) -> int:  # noqa: ANN401  # any buffer
        part = bytes(content)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def take(self) -> bytes:
        """What was written since it was last taken."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
