"""When, and how fast: back-off, the bandwidth cap, and the hours in which clips may go. Pure: time is handed in."""

from dataclasses import dataclass
from datetime import time


class Backoff:
    """Waits that double, with jitter, up to a cap.

    Args:
        max_s: Longest wait.
        min_s: First wait.

    >>> backoff = Backoff(max_s=10.0, min_s=2.0)
    >>> [backoff.next_s(jitter=1.0) for _ in range(4)], backoff.next_s(jitter=0.0)
    ([2.0, 4.0, 8.0, 10.0], 5.0)
    """

    def __init__(self, *, max_s: float, min_s: float = 2.0) -> None:
        self._max_s = max_s
        self._min_s = min(min_s, max_s)
        self._failures = 0

    def next_s(self, *, jitter: float) -> float:
        """The next wait: half of it at least, the rest by chance (`jitter` in `[0, 1)`)."""
        wait_s = min(self._max_s, self._min_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return wait_s * (0.5 + 0.5 * jitter)

    def reset(self) -> None:
        """It worked: begin anew."""
        self._failures = 0


class TokenBucket:
    """A cap on bytes a second, with a burst of one second.

    Args:
        bytes_per_s: The cap; 0: none.
        now_s: Monotonic time.

    >>> bucket = TokenBucket(1000, now_s=0.0)
    >>> bucket.take(1000, now_s=0.0), bucket.take(500, now_s=0.0), bucket.take(500, now_s=1.5)
    (0.0, 0.5, 0.0)
    """

    def __init__(self, bytes_per_s: int, *, now_s: float) -> None:
        self._rate = bytes_per_s
        self._tokens = float(bytes_per_s)
        self._filled_s = now_s

    def take(self, size_bytes: int, *, now_s: float) -> float:
        """Count bytes that go; returns how long to wait before they may, seconds."""
        if not self._rate:
            return 0.0
        self._tokens = min(float(self._rate), self._tokens + (now_s - self._filled_s) * self._rate)
        self._filled_s = now_s
        self._tokens -= size_bytes
        return max(0.0, -self._tokens / self._rate)


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, local time; over midnight where it begins later than it ends.

    >>> night = Hours.parse("22:00-05:00")
    >>> [night.hold(time(hour)) for hour in (21, 22, 4, 5)]
    [False, True, True, False]
    """

    start: time
    stop: time

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """From `22:00-05:00`."""
        start, stop = (time.fromisoformat(part) for part in text.split("-"))
        return cls(start, stop)

    def hold(self, now: time) -> bool:
        """Whether this time of day is among them; a part that begins when it ends is the whole day."""
        if self.start < self.stop:
            return self.start <= now < self.stop
        return now >= self.start or now < self.stop
