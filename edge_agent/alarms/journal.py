"""Append-only files of one JSON object per line, bounded by rotation: the history of alarms, the audit of commands."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from edge_agent.alarms.errors import AlarmError

RecordT = TypeVar("RecordT", bound=BaseModel)
_MAX_LINE_BYTES = 16 * 1024


class Journal(Generic[RecordT]):
    """One file and its predecessors, `<name>.1` the youngest of them.

    Args:
        path: The file.
        model: What a line is.
        max_bytes: Size at which a new file is begun.
        keep: Predecessors that are kept.
    """

    def __init__(self, path: Path, model: type[RecordT], *, max_bytes: int = 1024 * 1024, keep: int = 4) -> None:
        self.path = path
        self._model = model
        self._max_bytes = max_bytes
        self._keep = keep

    def append(self, record: RecordT) -> None:
        """Add a line; it is on the disk when this returns.

        Raises:
            AlarmError: The disk refused.
        """
        line = record.model_dump_json().encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = b"\n" + line  # a power cut left half a line: this one stays whole
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if size + len(line) >= self._max_bytes:
                self._rotate()
        except OSError as error:
            raise AlarmError(f"{self.path} cannot be written ({error.strerror}); check the disk") from error

    def check(self) -> None:
        """See that it can be read, where there is one.

        Raises:
            AlarmError: It cannot.
        """
        try:
            self.path.open("rb").close()
        except FileNotFoundError:
            pass  # nothing was written down yet
        except OSError as error:
            raise AlarmError(f"{self.path} cannot be read ({error.strerror}); check its rights and the disk") from error

    def read(self) -> Iterator[RecordT]:
        """All lines, oldest first; what is no record, such as half a line, is left out."""
        for path in [*(self._old(number) for number in range(self._keep, 0, -1)), self.path]:
            yield from self._read_file(path)

    def newest(self, limit: int = 200) -> list[RecordT]:
        """The last lines, oldest first."""
        found: list[RecordT] = []
        for path in [self.path, *(self._old(number) for number in range(1, self._keep + 1))]:
            records = list(self._read_file(path))
            found = records[len(records) - min(len(records), limit - len(found)) :] + found
            if len(found) >= limit:
                break
        return found

    def _read_file(self, path: Path) -> Iterator[RecordT]:
        try:
            file = path.open("rb")
        except OSError:
            return
        with file:
            while line := file.readline(_MAX_LINE_BYTES):
                try:
                    yield self._model.model_validate_json(line)
                except ValueError:
                    continue

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            if self._old(number).exists():
                self._old(number).replace(self._old(number + 1))
        self.path.replace(self._old(1))

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
