"""A bounded window of work in flight: what every way of spreading it shares."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result_co = TypeVar("Result_co", covariant=True)


class Pending(Protocol[Result_co]):
    """Work in flight."""

    def result(self) -> Result_co:
        """Wait for it."""

    def cancel(self) -> object:
        """Drop it if it has not begun."""


def in_order(submit: Callable[[Item], Pending[Result_co]], items: Iterable[Item], *, ahead: int) -> Iterator[Result_co]:
    """Submit items and give their results in order, with at most `ahead` of them in flight."""
    flying: deque[Pending[Result_co]] = deque()
    try:
        for item in items:
            flying.append(submit(item))
            if len(flying) >= ahead:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        for pending in flying:
            pending.cancel()
