"""The new bundle beside the one in use, window by window. Pure."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from statistics import median

from edge_agent.sync.wire import ShadowReport

_LATENCIES = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """One window, scored by both.

    Attributes:
        machine: Whose it is.
        old_percentile, new_percentile: Among the machine's normals.
        old_anomalous, new_anomalous: Whether it is above the threshold.
        old_s, new_s: Computing, in the same process; None where it was not measured.
    """

    machine: str
    old_percentile: float
    new_percentile: float
    old_anomalous: bool
    new_anomalous: bool
    old_s: float | None = None
    new_s: float | None = None


@dataclass(slots=True)
class _Machine:
    windows: int = 0
    shift_sum: float = 0.0
    old_anomalous: int = 0
    new_anomalous: int = 0


@dataclass(slots=True)
class Comparison:
    """Adds up pairs.

    Attributes:
        errors: Windows that the new bundle could not score.
        shed: Windows that were not compared, for the gateway had better things to do.
    """

    errors: int = 0
    shed: int = 0
    _machines: dict[str, _Machine] = field(default_factory=lambda: defaultdict(_Machine))
    _old_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    _new_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    @property
    def windows(self) -> int:
        """Windows that were compared."""
        return sum(machine.windows for machine in self._machines.values())

    def add(self, pair: Pair) -> None:
        """One more."""
        machine = self._machines[pair.machine]
        machine.windows += 1
        machine.shift_sum += pair.new_percentile - pair.old_percentile
        machine.old_anomalous += pair.old_anomalous
        machine.new_anomalous += pair.new_anomalous
        if pair.old_s is not None and pair.new_s is not None:
            self._old_s.append(pair.old_s)
            self._new_s.append(pair.new_s)

    def enough(self, machines: frozenset[str], windows: int) -> bool:
        """Whether each of the machines was compared so often.

        >>> Comparison().enough(frozenset(), 0), Comparison().enough(frozenset({"pump"}), 1)
        (True, False)
        """
        return all(self._machines[machine].windows >= windows for machine in machines)

    def report(self) -> ShadowReport:
        """As the hub is told."""
        shifts = [each.shift_sum / each.windows for each in self._machines.values() if each.windows]
        windows = self.windows
        old = sum(machine.old_anomalous for machine in self._machines.values())
        new = sum(machine.new_anomalous for machine in self._machines.values())
        return ShadowReport(
            windows=windows,
            errors=self.errors,
            latency_ratio=median(self._new_s) / max(median(self._old_s), 1e-9) if self._old_s else None,
            exceedance_new=new / windows if windows else None,
            exceedance_old=old / windows if windows else None,
            percentile_shift=max(shifts, key=abs) if shifts else None,
        )
