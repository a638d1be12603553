"""The last hours of one machine, a mark per window, in memory taken once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STATES: Final = ("normal", "suspect", "alarm", "input_fault", "uncommissioned", "unknown", "rejected")
"""Codes of what a window said, by index; `rejected` is one that was not scored."""

_MARK: Final = np.dtype([("at_s", "f8"), ("score", "f4"), ("threshold", "f4"), ("level_dbfs", "f4"), ("state", "u1")])


@dataclass(frozen=True, slots=True)
class Mark:
    """One window in the course of time.

    Attributes:
        at_s: Wall time of its end, seconds.
        score: Anomaly score; None where there is none.
        threshold: Its threshold.
        level_dbfs: Level; None for silence.
        state: One of `STATES`.
    """

    at_s: float
    score: float | None
    threshold: float | None
    level_dbfs: float | None
    state: str


class History:
    """A ring of marks; not thread-safe.

    Args:
        capacity: Most marks; the default holds six hours of 10 s windows.

    >>> history = History(2)
    >>> for at_s in (1.0, 2.0, 3.0):
    ...     history.add(Mark(at_s, at_s / 2, 2.0, None, "normal"))
    >>> history.columns(since_s=0.0)["score"]
    [1.0, 1.5]
    """

    def __init__(self, capacity: int = 2160) -> None:
        self._marks = np.zeros(capacity, _MARK)
        self._count = 0

    def add(self, mark: Mark) -> None:
        """Append one; the oldest goes when it is full."""
        values = (mark.score, mark.threshold, mark.level_dbfs)
        floats = (np.nan if value is None else value for value in values)
        self._marks[self._count % len(self._marks)] = (mark.at_s, *floats, STATES.index(mark.state))
        self._count += 1

    def columns(self, since_s: float) -> dict[str, list[float | int | None]]:
        """Columns for a chart, oldest first: times in seconds, None where there is no value, states by index."""
        marks = self._in_order()
        marks = marks[marks["at_s"] > since_s]
        return {
            "at_s": [round(float(value), 1) for value in marks["at_s"]],
            "score": _rounded(marks["score"], 3),
            "threshold": _rounded(marks["threshold"], 3),
            "level_dbfs": _rounded(marks["level_dbfs"], 1),
            "state": [int(value) for value in marks["state"]],
        }

    def _in_order(self) -> NDArray[np.void]:
        if self._count <= len(self._marks):
            return self._marks[: self._count]
        at = self._count % len(self._marks)
        return np.concatenate([self._marks[at:], self._marks[:at]])


def _rounded(values: NDArray[np.float32], digits: int) -> list[float | int | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]
