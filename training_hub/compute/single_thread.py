"""One BLAS thread for every task."""

from collections.abc import Callable
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def single_threaded(function: Callable[[Item], Result], item: Item) -> Result:
    """Call a function while BLAS and OpenMP have one thread: in a process where others loaded them first, too."""
    with threadpool_limits(limits=1):
        return function(item)


def limit_for_good() -> None:
    """The same for the rest of a process's life."""
    threadpool_limits(limits=1)
