"""Tells the world what was heard: events into the outbox, metrics, health."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge_agent.agent.engine import WindowEvent
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.delivery.events import Data
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.reporting import anomaly_of, input_findings, result_data
from edge_agent.delivery.result import AlarmRef, AlarmState, BundleRef
from edge_agent.delivery.states import AlarmData, HealthData, SourceStateData
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.alarm import AlarmPhase
from edge_agent.detection.assessment import HealthAssessor
from edge_agent.detection.explain import sentence
from edge_agent.observe.health import ComponentReport, Health
from edge_agent.observe.metrics import Metrics
from edge_agent.pipeline.listener import Heard

_log = logging.getLogger(__name__)
_HEALTH_EVERY_NS = 3600 * NS_PER_S


@dataclass(slots=True)
class _Machine:
    """What is remembered of a machine between windows."""

    assessor: HealthAssessor = field(default_factory=HealthAssessor)
    alarm_id: str | None = None
    raised_at: str = ""
    zone: str = ""
    assessed_ns: int | None = None


class Reporter:
    """Takes finished windows and changes of sources; one thread uses it.

    Args:
        messages: Makes events.
        ulids: Makes the ids of alarm episodes.
        intake: Where events go; None where nothing is published.
        metrics: What is counted.
        health: Signs of life.
        bundle: The models in use.
        clock: For the time of what has no sample.
        machines_of: Machines heard by each source.
    """

    def __init__(
        self,
        *,
        messages: MessageFactory,
        ulids: UlidFactory,
        intake: Intake | None,
        metrics: Metrics,
        health: Health,
        bundle: BundleRef,
        clock: Clock,
        machines_of: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._messages = messages
        self._ulids = ulids
        self._intake = intake
        self._metrics = metrics
        self._health = health
        self._bundle = bundle
        self._clock = clock
        self._machines_of = machines_of
        self._machines: dict[str, _Machine] = {}

    def hears(self, machines_of: Mapping[str, tuple[str, ...]]) -> None:
        """The machines heard by each source, from now on."""
        self._machines_of = machines_of

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is told within is written to the disk together."""
        if self._intake is None:
            yield
            return
        with self._intake.gather():
            yield
            waiting, started_s = self._intake.held, time.perf_counter()
        if waiting:
            self._metrics.stage_took("store", time.perf_counter() - started_s)

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        self._health.window(event.source_id, now_s=self._clock.monotonic_ns() / NS_PER_S)
        heard = event.heard
        if heard is None:
            return
        machine = self._machines.setdefault(heard.machine_id, _Machine())
        self._alarm(event, heard, machine)
        self._result(event, heard, machine)
        self._assess(event, heard, machine)

    def source_changed(self, report: ComponentReport, *, rate_hz: int | None, channels: int | None) -> None:
        """A source came into another state."""
        log = _log.info if report.state.value in ("up", "starting") else _log.warning
        log("source %s is %s%s", report.name, report.state.value, f": {report.detail}" if report.detail else "")
        self._metrics.source_state(report.name, report.state)
        now_ns = self._clock.wall_ns()
        data = SourceStateData(
            source=report.name,
            state=report.state.value,
            since=rfc3339(now_ns),
            detail=report.detail[:2048],
            rate_hz=rate_hz,
            channels=channels,
            machines=self._machines_of.get(report.name, ()),
            clock_synced=self._clock.is_synced(),
        )
        self._send(data, now_ns)

    def _result(self, event: WindowEvent, heard: Heard, machine: _Machine) -> None:
        verdict = heard.verdict
        self._metrics.window_scored(
            heard.machine_id,
            state=heard.state.value,
            score=None if verdict is None else verdict.score,
            threshold=None if verdict is None else verdict.threshold,
            percentile=None if verdict is None else verdict.percentile,
            level_dbfs=event.level_dbfs,
            level_db_spl=event.level_db_spl,
            wall_s=event.end_ns / NS_PER_S,
        )
        if verdict is not None:
            self._metrics.input_findings(heard.machine_id, {finding.code.value for finding in verdict.health})
        reference = None if machine.alarm_id is None else AlarmRef(id=machine.alarm_id, state="unacknowledged")
        data = result_data(
            event.window,
            heard,
            start_ns=event.start_ns,
            bundle=self._bundle,
            clock_synced=self._clock.is_synced(),
            alarm=reference,
            level_db_spl=event.level_db_spl,
        )
        self._send(data, event.end_ns)

    def _alarm(self, event: WindowEvent, heard: Heard, machine: _Machine) -> None:
        alarm, verdict = heard.alarm, heard.verdict
        if alarm is None or verdict is None or not (alarm.raised or alarm.cleared):
            return
        if alarm.raised:
            machine.alarm_id, machine.raised_at = self._ulids(), rfc3339(event.start_ns)
            self._metrics.alarm_raised(heard.machine_id)
        if machine.alarm_id is None:
            return
        text = sentence(heard.machine_id, verdict)
        state: AlarmState = "unacknowledged" if alarm.phase is AlarmPhase.ACTIVE else "normal"
        self._metrics.alarm_state(heard.machine_id, state)
        _log.warning("alarm of %s %s: %s", heard.machine_id, "raised" if alarm.raised else "cleared", text)
        data = AlarmData(
            machine=heard.machine_id,
            alarm=machine.alarm_id,
            state=state,
            kind="anomaly",
            severity="high" if verdict.score >= 2 * verdict.threshold else "medium",
            raised_at=machine.raised_at,
            changed_at=rfc3339(event.start_ns),
            shelved_until=None,
            operator=None,
            anomaly=anomaly_of(verdict),
            input_health=input_findings(verdict),
            text=text,
            clock_synced=self._clock.is_synced(),
        )
        if alarm.cleared:
            machine.alarm_id = None
        self._send(data, event.end_ns)

    def _assess(self, event: WindowEvent, heard: Heard, machine: _Machine) -> None:
        if heard.verdict is None:
            return
        assessment = machine.assessor.update(heard.verdict, event.start_ns)
        if assessment is None:
            return
        due = machine.assessed_ns is None or event.start_ns - machine.assessed_ns >= _HEALTH_EVERY_NS
        if assessment.zone == machine.zone and not due:
            return
        machine.zone, machine.assessed_ns = assessment.zone, event.start_ns
        data = HealthData(
            machine=heard.machine_id,
            assessed_at=rfc3339(event.end_ns),
            index=assessment.index,
            zone=assessment.zone,
            windows=assessment.windows,
            trend_per_day=assessment.trend_per_day,
            days_to_limit=assessment.days_to_limit,
            clock_synced=self._clock.is_synced(),
        )
        self._send(data, event.end_ns)

    def _send(self, data: Data, occurred_ns: int) -> None:
        if self._intake is None:
            return
        started_s = time.perf_counter()
        self._intake.submit(self._messages.make(data, occurred_ns=occurred_ns))
        self._metrics.stage_took("store", time.perf_counter() - started_s)
