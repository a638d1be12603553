"""Clocks: monotonic time, wall time stamped from it, and the sample clock of a source."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NS_PER_S = 1_000_000_000
TIMESYNC_FLAG = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd once it has set the clock."""

SYNCED_ASKED_EVERY_NS = NS_PER_S
"""How often the machine is asked whether its wall clock is synchronised; every event of every channel wants to know."""

DRIFT_WINDOW_NS = 60 * NS_PER_S
"""How often the sample clock is fitted to the monotonic clock again: 100 ppm of drift is 6 ms by then."""


class Clock(Protocol):
    """Where time comes from; the real one, or one that a replay or a test moves."""

    def monotonic_ns(self) -> int:
        """Time that only goes forward, from an arbitrary start."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970 (UTC), carried forward by the monotonic clock from the last anchor."""

    def wall_at_ns(self, monotonic_ns: int) -> int:
        """Wall time that belongs to a monotonic time, by the same anchor."""

    def is_synced(self) -> bool:
        """Whether the wall time is known to follow a time server."""


class SystemClock:
    """The machine's clocks. Wall time is read once and then carried forward by the monotonic clock.

    So a stepped wall clock (an operator, a first NTP answer) moves no stamp and no schedule. `reanchor`
    takes over the new wall time, at a moment of the caller's choice: the daemon does it when the clock has
    become synchronised.

    Args:
        monotonic_ns: Monotonic time source.
        wall_time_ns: Wall time source, which may be stepped.
        is_synced: Tells whether the wall clock follows a time server.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_time_ns: Callable[[], int] = time.time_ns,
        is_synced: Callable[[], bool] | None = None,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_time_ns = wall_time_ns
        self._ask_synced = is_synced or system_clock_is_synced
        self._synced = False
        self._asked_ns: int | None = None
        self._wall_minus_monotonic_ns = 0
        self.reanchor()

    def monotonic_ns(self) -> int:
        """Time that only goes forward."""
        return self._monotonic_ns()

    def wall_ns(self) -> int:
        """Wall time of the anchor plus the monotonic time since."""
        return self.wall_at_ns(self._monotonic_ns())

    def wall_at_ns(self, monotonic_ns: int) -> int:
        """Wall time that belongs to a monotonic time, by the anchor."""
        return monotonic_ns + self._wall_minus_monotonic_ns

    def is_synced(self) -> bool:
        """Whether the wall clock follows a time server now, or did within the last second."""
        now_ns = self._monotonic_ns()
        if self._asked_ns is None or now_ns - self._asked_ns >= SYNCED_ASKED_EVERY_NS:
            self._synced, self._asked_ns = self._ask_synced(), now_ns
        return self._synced

    def step_ns(self) -> int:
        """How far the machine's wall clock stands from the anchored one: what `reanchor` would move."""
        return self._wall_time_ns() - self.wall_ns()

    def reanchor(self) -> None:
        """Take the machine's wall time as it stands now."""
        self._wall_minus_monotonic_ns = self._wall_time_ns() - self._monotonic_ns()


class VirtualClock:
    """A clock that stands still until it is moved: for replay, simulation and tests.

    Args:
        wall_ns: Wall time at the start, for example a recording's time.
        monotonic_ns: Monotonic time at the start.
        synced: What `is_synced` says.

    Example:
        >>> clock = VirtualClock(wall_ns=1_000)
        >>> clock.advance(500)
        >>> clock.wall_ns(), clock.monotonic_ns()
        (1500, 500)
    """

    def __init__(self, wall_ns: int = 0, monotonic_ns: int = 0, *, synced: bool = True) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_minus_monotonic_ns = wall_ns - monotonic_ns
        self._synced = synced

    def monotonic_ns(self) -> int:
        """Time as moved so far."""
        return self._monotonic_ns

    def wall_ns(self) -> int:
        """Wall time as moved so far."""
        return self.wall_at_ns(self._monotonic_ns)

    def wall_at_ns(self, monotonic_ns: int) -> int:
        """Wall time that belongs to a monotonic time."""
        return monotonic_ns + self._wall_minus_monotonic_ns

    def is_synced(self) -> bool:
        """What the constructor was told."""
        return self._synced

    def advance(self, ns: int) -> None:
        """Move both times forward by `ns` nanoseconds.

        Raises:
            ValueError: `ns` is negative.
        """
        if ns < 0:
            msg = f"a clock cannot go back by {-ns} ns"
            raise ValueError(msg)
        self._monotonic_ns += ns

    def set_wall(self, *, by_ns: int) -> None:
        """Move the wall time alone, as a first answer of a time server does."""
        self._wall_minus_monotonic_ns += by_ns


class SampleClock:
    """Stamps sample positions of one source with wall time.

    Position 0 is taken as captured when the object is made. A live source calls `observe` for each block:
    the least delayed arrival of each minute corrects the start and follows the drift of the device's
    crystal (100 ppm are a minute per week). A replay does not call it: its stamps then follow from the
    count alone, whatever the block size.

    Args:
        rate_hz: Native rate of the source.
        clock: Where time comes from.
    """

    def __init__(self, rate_hz: int, clock: Clock) -> None:
        self._rate_hz = rate_hz
        self._clock = clock
        self._origin_ns = clock.monotonic_ns()
        self._window_start_ns = self._origin_ns
        self._earliest_origin_ns: int | None = None
        self._fitted = False

    def observe(self, stop_sample: int, captured_ns: int | None = None) -> None:
        """Learn when the sample before `stop_sample` was captured, monotonic; just now, where that is not known."""
        now_ns = self._clock.monotonic_ns() if captured_ns is None else captured_ns
        origin_ns = now_ns - stop_sample * NS_PER_S // self._rate_hz
        if self._earliest_origin_ns is None or origin_ns < self._earliest_origin_ns:
            self._earliest_origin_ns = origin_ns
        # Until the first minute is full the best guess so far serves; later only a whole minute's minimum does.
        if not self._fitted:
            self._origin_ns = self._earliest_origin_ns
        if now_ns - self._window_start_ns >= DRIFT_WINDOW_NS:
            self._origin_ns = self._earliest_origin_ns
            self._fitted = True
            self._earliest_origin_ns = None
            self._window_start_ns = now_ns

    def monotonic_ns(self, sample: int) -> int:
        """Monotonic time at which `sample` was captured."""
        return self._origin_ns + sample * NS_PER_S // self._rate_hz

    def wall_ns(self, sample: int) -> int:
        """Wall time at which `sample` was captured, in nanoseconds since 1970 (UTC)."""
        return self._clock.wall_at_ns(self.monotonic_ns(sample))


@dataclass(frozen=True)
class _KernelClockState:
    """What adjtimex(2) answers: the return value and the status bits."""

    state: int
    status: int

    @property
    def is_synced(self) -> bool:
        time_error, sta_unsync = 5, 0x0040
        return 0 <= self.state < time_error and not self.status & sta_unsync


class _Timex(ctypes.Structure):
    """The head of `struct timex`, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def system_clock_is_synced(timesync_flag: Path = TIMESYNC_FLAG) -> bool:
    """Whether this machine's wall clock follows a time server, as well as can be told.

    systemd-timesyncd's flag is looked for first, then the kernel is asked (which chrony and ntpd tell), by
    adjtimex(2) with nothing to change. A service under `SystemCallFilter=@system-service` must allow
    `adjtimex` and `clock_adjtime`, or set `SystemCallErrorNumber=EPERM`; a refusal counts as not known, so
    not synchronised.
    """
    if timesync_flag.exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "adjtimex"):
        return False
    request = _Timex(modes=0)
    state = libc.adjtimex(ctypes.byref(request))
    return _KernelClockState(state=state, status=request.status).is_synced
