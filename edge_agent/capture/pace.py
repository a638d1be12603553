"""Lost samples, told from how many came in how much time: drivers lose some without saying so."""

from __future__ import annotations

from typing import Final

NS_PER_S: Final = 1_000_000_000
WINDOW_S: Final = 2.0
TOLERANCE_S: Final = 0.06
DRIFT: Final = 1e-3
AHEAD_S: Final = 2.0
AHEAD_SHARE: Final = 0.005


class LossMeter:
    """Compares a device's count of samples with the monotonic clock.

    How late a block comes, against a perfect device, varies by the driver's period and by the scheduler; how late the
    *least* delayed block of two seconds comes does not, except by the drift of the crystal. Where that minimum jumps,
    samples are missing: as many as the jump is long. Drift, up to 1000 ppm, moves the baseline instead.

    Args:
        rate_hz: Sample rate of the device.
        tolerance_s: Shortest loss that is told from jitter. Shorter ones add up until they are longer.
        window_s: Time over which the least delay is taken; jitter of the network needs more than that of a driver.

    Example:
        >>> meter = LossMeter(1000)
        >>> lost = [meter.observe(k * 100, 0, k * NS_PER_S // 10) for k in range(1, 60)]
        >>> sum(lost)
        0
        >>> sum(meter.observe(k * 100 - 500, 0, k * NS_PER_S // 10) for k in range(60, 120))
        500
    """

    def __init__(self, rate_hz: int, *, tolerance_s: float = TOLERANCE_S, window_s: float = WINDOW_S) -> None:
        self._rate_hz = rate_hz
        self._tolerance_ns = round(tolerance_s * NS_PER_S)
        self._window_ns = round(window_s * NS_PER_S)
        self._drift_ns = round(window_s * DRIFT * NS_PER_S)
        self._booked = 0
        self._baseline_ns: int | None = None
        self._least_ns: int | None = None
        self._window_start_ns = 0

    def observe(self, given: int, left: int, read_ns: int, *, overflowed: bool = False) -> int:
        """How many samples are missing that were not reported before.

        Args:
            given: Samples that the device has given so far.
            left: Samples that the driver still holds.
            read_ns: Monotonic time of the read.
            overflowed: The driver admits a loss, though not of how many: at least one.
        """
        lost = 0
        if overflowed:
            lost = 1
            self._booked += 1
        late_ns = read_ns - (given + left + self._booked) * NS_PER_S // self._rate_hz
        if self._least_ns is None:
            self._least_ns, self._window_start_ns = late_ns, read_ns
        self._least_ns = min(self._least_ns, late_ns)
        if read_ns - self._window_start_ns >= self._window_ns:
            lost += self._judge(self._least_ns)
            self._least_ns = None
        return lost

    def _judge(self, least_ns: int) -> int:
        if self._baseline_ns is None:  # the first window holds the device's start, early or late
            self._baseline_ns = least_ns
            return 0
        excess_ns = least_ns - self._baseline_ns
        if excess_ns > self._tolerance_ns:
            lost = excess_ns * self._rate_hz // NS_PER_S
            self._booked += lost
            return lost
        self._baseline_ns += min(excess_ns, self._drift_ns)
        return 0


class RateMeter:
    """Tells a source that gives samples faster than its rate, which no fault of it explains.

    Then rate, format or channels are other than declared, and every score would be of a wrong sound. A source that
    comes late and catches up is never ahead of its first seconds; one whose crystal is fast is so by a permille.

    Args:
        rate_hz: Declared sample rate.

    Example:
        >>> meter = RateMeter(16_000)
        >>> told = [meter.observe(k * 3_200, k * NS_PER_S // 10) for k in range(1, 60)]
        >>> next(rate for rate in told if rate)
        32000
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._first: tuple[int, int] | None = None
        self._earliest_ns = 0

    def observe(self, given: int, read_ns: int) -> int | None:
        """The rate at which it gives, in Hz, where that is too high; None while it may be right.

        Args:
            given: Samples per channel so far, those that the driver still holds included.
            read_ns: Monotonic time of the read.
        """
        late_ns = read_ns - given * NS_PER_S // self._rate_hz
        if self._first is None:
            self._first, self._earliest_ns = (given, read_ns), late_ns
        passed_ns = read_ns - self._first[1]
        if passed_ns < WINDOW_S * NS_PER_S:  # what was held back at the start may come at once
            self._earliest_ns = min(self._earliest_ns, late_ns)
            return None
        if self._earliest_ns - late_ns <= AHEAD_S * NS_PER_S + AHEAD_SHARE * passed_ns:
            return None
        return round((given - self._first[0]) * NS_PER_S / passed_ns)
