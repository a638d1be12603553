"""What a report tells of the machines: counted as windows are finished, taken once the hub has them."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass, replace

from edge_agent.sync.wire import MachineReport

_LATENCIES = 256
_MOST_MACHINES = 256


@dataclass(frozen=True, slots=True)
class _Tally:
    type: str
    windows: int = 0
    anomalous: int = 0
    failed: int = 0
    percentile_sum: float = 0.0
    percentiles: int = 0

    def plus(self, other: _Tally, sign: int = 1) -> _Tally:
        return _Tally(
            self.type,
            self.windows + sign * other.windows,
            self.anomalous + sign * other.anomalous,
            self.failed + sign * other.failed,
            self.percentile_sum + sign * other.percentile_sum,
            self.percentiles + sign * other.percentiles,
        )


@dataclass(frozen=True, slots=True)
class _Computed:
    models: int = 0
    windows: int = 0
    seconds: float = 0.0

    def plus(self, windows: int, seconds: float) -> _Computed:
        return _Computed(self.models, self.windows + windows, max(0.0, self.seconds + seconds))


@dataclass(frozen=True, slots=True)
class FigureSet:
    """Figures of one moment; `told` takes exactly these away again.

    Attributes:
        machines: For the report.
        window_latency_s: Median of the last windows; None before the first.
        window_computing_s: Mean processor time of a window, of those not told yet; None where there are none.
        tallies: What they were counted from.
        computed: Windows and their processor time, likewise, with which models.
    """

    machines: tuple[MachineReport, ...]
    window_latency_s: float | None
    window_computing_s: float | None
    tallies: dict[str, _Tally]
    computed: _Computed


class Figures:
    """Counts finished windows; any thread.

    >>> figures = Figures()
    >>> figures.window("fan-1", "fan", percentile=50.0, anomalous=False, latency_s=0.2)
    >>> told = figures.now()
    >>> figures.window("fan-1", "fan", percentile=100.0, anomalous=True, latency_s=0.4)
    >>> figures.told(told)
    >>> [(each.windows, each.anomalous, each.mean_percentile) for each in figures.now().machines]
    [(1, 1, 100.0)]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES)
        self._computed = _Computed()

    def window(
        self,
        machine: str,
        machine_type: str,
        *,
        percentile: float | None,
        anomalous: bool,
        failed: bool = False,
        latency_s: float | None = None,
    ) -> None:
        """A window is finished.

        Args:
            machine: Of which machine.
            machine_type: Its kind.
            percentile: Among its own normals; None where it was not scored.
            anomalous: Whether it lies above the threshold.
            failed: Whether an error kept it from being scored.
            latency_s: From its end to its result; None where that means nothing, as for a recording.
        """
        scored = percentile is not None
        tally = _Tally(machine_type, int(not failed), int(anomalous), int(failed), percentile or 0.0, int(scored))
        with self._lock:
            if machine in self._tallies or len(self._tallies) < _MOST_MACHINES:
                before = self._tallies.get(machine, _Tally(machine_type))
                self._tallies[machine] = replace(before.plus(tally), type=machine_type)
            if latency_s is not None:
                self._latencies_s.append(max(0.0, latency_s))

    def computed(self, seconds: float) -> None:
        """A window has taken so much processor time; of many computed at once, the first may have that of all."""
        with self._lock:
            self._computed = self._computed.plus(1, seconds)

    def anew(self) -> None:
        """Other models are in use: how fast the former ones were says nothing of these."""
        with self._lock:
            self._latencies_s.clear()
            self._computed = _Computed(self._computed.models + 1)

    def now(self) -> FigureSet:
        """All that was counted and not told yet."""
        with self._lock:
            tallies, latencies_s, computed = dict(self._tallies), list(self._latencies_s), self._computed
        machines = tuple(
            MachineReport(
                id=machine,
                type=tally.type,
                windows=tally.windows,
                anomalous=tally.anomalous,
                failed=tally.failed,
                mean_percentile=(
                    min(100.0, max(0.0, tally.percentile_sum / tally.percentiles)) if tally.percentiles else None
                ),
            )
            for machine, tally in sorted(tallies.items())
        )
        return FigureSet(
            machines,
            statistics.median(latencies_s) if latencies_s else None,
            computed.seconds / computed.windows if computed.windows else None,
            tallies,
            computed,
        )

    def told(self, figures: FigureSet) -> None:
        """The hub has these; what was counted since stays."""
        with self._lock:
            for machine, tally in figures.tallies.items():
                self._tallies[machine] = self._tallies[machine].plus(tally, -1)
            if self._computed.models == figures.computed.models:  # else it was begun anew in between
                self._computed = self._computed.plus(-figures.computed.windows, -figures.computed.seconds)
