"""Wrong passwords make the next attempt wait, twice as long each time; pure: the time is passed in."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 900.0
_FORGOTTEN_S = 3600.0
_MOST_KEPT = 10_000


@dataclass
class _Failures:
    count: int
    last_s: float


class Slowdown:
    """Counts failures per key (a name and an address). Any thread.

    Args:
        free: Failures without a wait.

    >>> slow = Slowdown(free=1)
    >>> slow.failed("anna", 0.0); slow.wait_s("anna", 0.0)
    0.0
    >>> slow.failed("anna", 0.0); slow.wait_s("anna", 0.25)
    0.75
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str, now_s: float) -> float:
        """Seconds until the next attempt is looked at; 0 at once."""
        with self._lock:
            found = self._failures.get(key)
            if found is None or found.count <= self._free:
                return 0.0
            wait_s = min(_FIRST_WAIT_S * 2.0 ** min(found.count - self._free - 1, 20), _LONGEST_WAIT_S)
            return max(0.0, found.last_s + wait_s - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """One more; an old count is forgotten first."""
        with self._lock:
            found = self._failures.pop(key, None)
            if found is None or now_s - found.last_s > _FORGOTTEN_S:
                found = _Failures(0, now_s)
            self._failures[key] = _Failures(found.count + 1, now_s)
            while len(self._failures) > _MOST_KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Start anew."""
        with self._lock:
            self._failures.pop(key, None)
