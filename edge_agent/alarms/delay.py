"""On-delay and off-delay of ISA-18.2: a condition that comes and goes becomes one that stays."""

from dataclasses import dataclass

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a condition must hold, and be gone, before that counts; seconds."""

    on_s: float = 30.0
    off_s: float = 60.0


class Delayed:
    """One condition behind its delays. Pure: time is handed in.

    Args:
        delays: How long.
        on: Where it stands at the start, for one that goes on after a restart.

    >>> hum = Delayed(Delays(on_s=20, off_s=20))
    >>> [hum.update(present, now_s * NS_PER_S) for now_s, present in ((0, True), (10, False), (20, True), (40, True))]
    [False, False, False, True]
    """

    def __init__(self, delays: Delays, *, on: bool = False) -> None:
        self._delays = delays
        self._on = on
        self._differs_since_ns: int | None = None

    @property
    def on(self) -> bool:
        """Whether the condition counts."""
        return self._on

    def clock_moved(self, by_ns: int) -> None:
        """Wall time was set anew: what is remembered of it moves along."""
        if self._differs_since_ns is not None:
            self._differs_since_ns += by_ns

    def update(self, present: bool, now_ns: int) -> bool:
        """Say whether the condition is there now; returns whether it counts."""
        if present is self._on:
            self._differs_since_ns = None
            return self._on
        if self._differs_since_ns is None or now_ns < self._differs_since_ns:
            self._differs_since_ns = now_ns
        limit_s = self._delays.off_s if self._on else self._delays.on_s
        if now_ns - self._differs_since_ns >= limit_s * NS_PER_S:
            self._on = present
            self._differs_since_ns = None
        return self._on
