"""How many may come at once, and how many in the long run: a token bucket. Pure: time is handed in."""


class Allowance:
    """Lets `burst` through at once and `per_s` a second on average.

    >>> allowance = Allowance(burst=2, per_s=1.0)
    >>> [allowance.take(now_s) for now_s in (0.0, 0.0, 0.0, 1.0)]
    [True, True, False, True]
    """

    def __init__(self, *, burst: int, per_s: float) -> None:
        self._burst = float(burst)
        self._per_s = per_s
        self._tokens = float(burst)
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Whether one more may pass now."""
        if self._at_s is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
