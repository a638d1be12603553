"""From windows and sources to the conditions of alarms: what is wrong now, how severe, and for how long."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from edge_agent.alarms.alarm import AlarmKey, Condition, Kind, Severity
from edge_agent.alarms.delay import Delayed, Delays
from edge_agent.alarms.severity import SeverityMeter
from edge_agent.delivery.result import Trend
from edge_agent.detection.alarm import AlarmPhase, AlarmState
from edge_agent.detection.explain import sentence
from edge_agent.detection.verdict import HealthCode, Verdict
from edge_agent.pipeline.listener import Heard

SOURCE_DOWN = "source_down"
FAULTS = (*(code.value for code in HealthCode), SOURCE_DOWN)
"""Every class of input fault; a bounded set, for it names topics and labels metrics."""


@dataclass(frozen=True, slots=True)
class ConditionRules:
    """What becomes a condition.

    Attributes:
        raise_after, raise_within: Windows that raise an anomaly alarm, and among how many.
        fault_delays: How long a fault of the input must last, and be gone.
        ignored_faults: Classes that raise no alarm.
    """

    raise_after: int = 3
    raise_within: int = 5
    fault_delays: Delays = field(default_factory=Delays)
    ignored_faults: frozenset[str] = frozenset({HealthCode.STOPPED.value})


@dataclass(frozen=True, slots=True)
class Observation:
    """One alarm's condition after a window; `suspect` and `condition` are those of `AlarmBook.observe`."""

    key: AlarmKey
    condition: Condition | None
    suspect: bool = False


class Conditions:
    """Follows every machine of a gateway. Pure: time comes with the windows.

    Args:
        rules: What becomes a condition.
        is_on: Whether an alarm's condition holds, for one that goes on after a restart.
    """

    def __init__(self, rules: ConditionRules, is_on: Callable[[AlarmKey], bool]) -> None:
        self._rules = rules
        self._is_on = is_on
        self._meters: dict[str, SeverityMeter] = {}
        self._faults: dict[AlarmKey, Delayed] = {}

    def follow(self, rules: ConditionRules) -> None:
        """Other rules from now on; what is on stays on."""
        if (rules.raise_after, rules.raise_within) != (self._rules.raise_after, self._rules.raise_within):
            self._meters.clear()
        self._rules = rules

    def of_window(self, heard: Heard, now_ns: int, trend: Trend | None = None) -> Iterator[Observation]:
        """What a window says of its machine and of its input; `trend` is where the machine's health is going."""
        verdict, alarm = heard.verdict, heard.alarm
        if verdict is None or alarm is None:
            return
        key = AlarmKey(Kind.ANOMALY, heard.machine_id)
        meter = self._meters.setdefault(
            heard.machine_id, SeverityMeter(windows=self._rules.raise_after, within=self._rules.raise_within)
        )
        severity = meter.severity if verdict.blocked else meter.update(verdict.score, verdict.threshold)
        on = alarm.phase is AlarmPhase.ACTIVE
        condition = Condition(severity, _text(heard.machine_id, verdict, alarm, now_ns, trend)[:2048]) if on else None
        suspect = not on and alarm.recent_anomalous >= max(1, self._rules.raise_after - 1)
        yield Observation(key, condition, suspect)
        for fault, text, fault_severity in self._of_input(heard):
            yield self._delayed(heard.machine_id, fault, text, fault_severity, now_ns)

    def of_source(self, machine: str, problem: str | None, now_ns: int) -> Observation:
        """Whether the source of a machine is down, and why; None while it is not."""
        return self._delayed(machine, SOURCE_DOWN, problem, Severity.MEDIUM, now_ns)

    def clock_moved(self, by_ns: int) -> None:
        """Wall time was set anew."""
        for delayed in self._faults.values():
            delayed.clock_moved(by_ns)

    def _of_input(self, heard: Heard) -> Iterator[tuple[str, str | None, Severity]]:
        found = {finding.code: finding for finding in heard.verdict.health} if heard.verdict is not None else {}
        for code in HealthCode:
            finding = found.get(code)
            severity = Severity.MEDIUM if finding is not None and finding.blocking else Severity.LOW
            text = None if finding is None else f"{heard.machine_id}: {finding.message}"
            yield code.value, text, severity

    def _delayed(self, machine: str, fault: str, text: str | None, severity: Severity, now_ns: int) -> Observation:
        key = AlarmKey(Kind.INPUT_FAULT, machine, fault)
        present = text is not None and fault not in self._rules.ignored_faults
        if key not in self._faults:
            self._faults[key] = Delayed(self._rules.fault_delays, on=self._is_on(key))
        on = self._faults[key].update(present, now_ns)
        return Observation(key, Condition(severity, (text or "")[:2048]) if on else None)


def _text(machine: str, verdict: Verdict, alarm: AlarmState, now_ns: int, trend: Trend | None) -> str:
    began_ns = now_ns if alarm.episode is None else alarm.episode.first_anomalous_ns
    return sentence(
        machine,
        verdict,
        lasted_s=(now_ns - began_ns) / 1e9 if now_ns > began_ns else None,
        trend_per_day=None if trend is None else trend.per_day,
        days_to_limit=None if trend is None else trend.days_to_limit,
    )
