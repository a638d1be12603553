"""Repeats taken in turn, so that what else runs on the machine strikes all alike; medians of ratios."""

import statistics
import time
from collections.abc import Callable, Mapping

Timed = Mapping[str, tuple[float, ...]]
"""Seconds of each repeat, by name; the n-th of all names were taken one after the other."""


def processor_s(action: Callable[[], object]) -> float:
    """Processor time of this process for an action, seconds: on a busy machine the wall clock tells of others."""
    began_s = time.process_time()
    action()
    return time.process_time() - began_s


def take_turns(actions: Mapping[str, Callable[[], object]], repeats: int) -> Timed:
    """Time every action `repeats` times in turn, after one run of each that warms up."""
    for action in actions.values():
        action()
    found: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            found[name].append(processor_s(action))
    return {name: tuple(values) for name, values in found.items()}


def median_ratio(timed: Timed, of: str, to: str) -> float:
    """Median over the repeats of how many times as long one action took as another, right after each other.

    >>> median_ratio({"a": (2.0, 4.0, 9.0), "b": (1.0, 2.0, 3.0)}, "a", "b")
    2.0
    """
    return statistics.median(a / b for a, b in zip(timed[of], timed[to], strict=True))


def middle(timed: Timed, name: str) -> float:
    """Median of an action's repeats, seconds."""
    return statistics.median(timed[name])
