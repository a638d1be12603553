"""A progress line on a terminal, silent elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

_WIDTH = 30
_Item = TypeVar("_Item")


class Progress:
    """Shows how far a long work has come, on standard error if that is a terminal.

    >>> with Progress("reading", 2) as progress:
    ...     progress.advance()
    """

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._stream = sys.stderr if stream is None else stream
        self._visible = self._stream.isatty()

    def advance(self, steps: int = 1) -> None:
        """Some of it is done."""
        self._done += steps
        if self._visible and self._total:
            filled = _WIDTH * self._done // self._total
            bar = "#" * filled + "." * (_WIDTH - filled)
            self._stream.write(f"\r{self._what} [{bar}] {self._done}/{self._total}")
            self._stream.flush()

    def over(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """The items, each done when the next one is asked for."""
        for item in items:
            yield item
            self.advance()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._visible and self._done:
            self._stream.write("\n")
