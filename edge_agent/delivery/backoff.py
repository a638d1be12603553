"""How long to wait before a broker is tried again. Pure: the randomness is handed in."""

from __future__ import annotations

from collections.abc import Callable

_MOST_DOUBLINGS = 16


class Backoff:
    """Waits that double from `min_s` to `max_s`; each is cut by up to half, so that gateways do not come all at once.

    Args:
        min_s: First wait, uncut.
        max_s: Longest wait.
        jitter: Random number in [0, 1) for each wait.

    >>> backoff = Backoff(min_s=1.0, max_s=8.0, jitter=lambda: 0.5)
    >>> [backoff.next_s() for _ in range(5)]
    [0.75, 1.5, 3.0, 6.0, 6.0]
    """

    def __init__(self, *, min_s: float, max_s: float, jitter: Callable[[], float]) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._jitter = jitter
        self._waits = 0

    def next_s(self, *, at_least_s: float = 0.0) -> float:
        """The wait that is due now, in seconds; one of `at_least_s`, before it is cut, where that is longer."""
        wait_s: float = min(self._max_s, self._min_s * 2.0 ** min(self._waits, _MOST_DOUBLINGS))
        self._waits += 1
        return max(wait_s, at_least_s) * (0.5 + 0.5 * self._jitter())

    def reset(self) -> None:
        """It went well: the next wait is the first again."""
        self._waits = 0
