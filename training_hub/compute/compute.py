"""What spreads work: one function, many items, results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Compute(Protocol):
    """Threads, processes or a cluster behind one method."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Apply a function to each item.

        Only so many items are taken ahead of the results, so that neither has to fit into memory. Closing the iterator
        drops what has not begun.

        Args:
            function: Pure, and of a module: it may run in another process, or twice where a machine is lost. Its BLAS
                has one thread, for the last bits of a result must not hang on where it was computed.
            items: Taken as they are needed.

        Yields:
            Results, in the order of the items.

        Raises:
            ComputeError: Workers were lost.
            Exception: Whatever the function raised first, in the order of the items.
        """
