"""Tells the world what was heard: events into the outbox, metrics, health."""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.telling.sender import Sender
from edge_agent.agent.trends import Trends
from edge_agent.capture.clock import NS_PER_S, Clock
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.reporting import result_data
from edge_agent.delivery.result import AlarmRef, BundleRef, Trend
from edge_agent.delivery.states import HealthData, SourceStateData
from edge_agent.observe.health import ComponentReport, Health, State
from edge_agent.observe.metrics import Metrics
from edge_agent.pipeline.listener import Heard

_log = logging.getLogger(__name__)
_HEALTH_EVERY_NS = 3600 * NS_PER_S
ENDED = "ended"
"""Why a recording is down that was played to its end: no fault."""


@dataclass(slots=True)
class _Machine:
    """What is remembered of a machine between windows."""

    trend: Trend | None = None
    zone: str = ""
    assessed_ns: int | None = None


class Reporter:
    """Takes finished windows and changes of sources; one thread uses it.

    Args:
        sender: Takes events.
        alarms: Told of every window and source.
        metrics: What is counted.
        health: Signs of life.
        bundle: The models in use.
        clock: For the time of what has no sample.
        machines_of: Machines heard by each source.
        trends: How each machine does over days; forgotten at the end where none are given.
    """

    def __init__(
        self,
        *,
        sender: Sender,
        alarms: AlarmDesk,
        metrics: Metrics,
        health: Health,
        bundle: BundleRef,
        clock: Clock,
        machines_of: Mapping[str, tuple[str, ...]],
        trends: Trends | None = None,
    ) -> None:
        self._trends = Trends(None) if trends is None else trends
        self._sender = sender
        self._alarms = alarms
        self._metrics = metrics
        self._health = health
        self._bundle = bundle
        self._clock = clock
        self._machines_of = machines_of
        self._machines: dict[str, _Machine] = {}

    def hears(self, machines_of: Mapping[str, tuple[str, ...]]) -> None:
        """The machines heard by each source, from now on."""
        self._machines_of = machines_of

    def uses(self, bundle: BundleRef) -> None:
        """The models in use, from now on."""
        self._bundle = bundle

    def together(self) -> AbstractContextManager[None]:
        """What is told within is written to the disk together."""
        return self._sender.together()

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        now_s = self._clock.monotonic_ns() / NS_PER_S
        self._health.window(event.source_id, now_s=now_s, channel=event.channel, fault=event.fault)
        heard = event.heard
        if heard is None:
            return
        machine = self._machines.setdefault(heard.machine_id, _Machine())
        self._result(event, heard, self._alarms.window(event, heard, machine.trend), machine.trend)
        self._assess(event, heard, machine)

    def source_changed(self, report: ComponentReport, *, rate_hz: int | None, channels: int | None) -> None:
        """A source came into another state."""
        log = _log.info if report.state.value in ("up", "starting") else _log.warning
        log("source %s is %s%s", report.name, report.state.value, f": {report.detail}" if report.detail else "")
        self._metrics.source_state(report.name, report.state)
        problem = report.detail if report.state is State.DOWN and report.detail != ENDED else None
        self._alarms.source(report.name, problem, self._machines_of.get(report.name, ()))
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
        self._sender.send(data, now_ns)

    def _result(self, event: WindowEvent, heard: Heard, alarm: AlarmRef | None, trend: Trend | None) -> None:
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
        data = result_data(
            event.window,
            heard,
            start_ns=event.start_ns,
            bundle=self._bundle,
            clock_synced=self._clock.is_synced(),
            alarm=alarm,
            level_db_spl=event.level_db_spl,
            trend=trend,
        )
        self._sender.send(data, event.end_ns)

    def _assess(self, event: WindowEvent, heard: Heard, machine: _Machine) -> None:
        if heard.verdict is None:
            return
        assessment = self._trends.assessor(heard.machine_id).update(heard.verdict, event.start_ns)
        if assessment is None:
            return
        machine.trend = Trend(
            index=assessment.index, per_day=assessment.trend_per_day, days_to_limit=assessment.days_to_limit
        )
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
        self._sender.send(data, event.end_ns)
