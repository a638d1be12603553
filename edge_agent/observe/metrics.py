"""The agent's metrics: names begin with `edge_agent_`, units are base units, labels are bounded by configuration."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from edge_agent.observe.collectors import (
    ClipsCollector,
    DeliveryCollector,
    IntakeCollector,
    LedgerCollector,
    OutboxCollector,
)
from edge_agent.observe.health import State
from edge_agent.observe.labels import (
    ALARM_STATES,
    INPUT_FINDINGS,
    MACHINE_STATES,
    PROFILES,
    SHED_CAUSES,
    STAGES,
    STORE_OPERATIONS,
    one_of,
)
from edge_agent.observe.readings import (
    ClipsReading,
    DeliveryReading,
    IntakeReading,
    LedgerReading,
    MachineReading,
    OutboxReading,
    SyncReading,
    UpdatesReading,
)
from edge_agent.observe.sync_collector import SyncCollector
from edge_agent.observe.updates_collector import UpdatesCollector

_M = TypeVar("_M", bound=MetricWrapperBase)
_LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_SCORE_BUCKETS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0, 8.0)
_STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """All metrics of one agent, in a registry that is handed in.

    What changes by events is set by methods; what others keep books of (ledgers, outbox, publisher) is read at the
    moment of a scrape through `watch_...`, once each.

    Args:
        registry: Where to register; never the library's global one.

    >>> registry = CollectorRegistry()
    >>> Metrics(registry).window_scored("fan-1", state="normal", score=1.5, threshold=3.0, percentile=60.0,
    ...     level_dbfs=None)
    >>> registry.get_sample_value("edge_agent_windows_total", {"machine": "fan-1", "state": "normal"})
    1.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._labelled: list[tuple[MetricWrapperBase, tuple[str, ...]]] = []
        self._machines: dict[str, MachineReading] = {}
        self._bundle: tuple[str, str, str] | None = None
        ProcessCollector(namespace="edge_agent", registry=registry)  # CPU, memory and open files of the agent itself

        def counter(name: str, text: str, *labels: str) -> Counter:
            return self._remembered(Counter(f"edge_agent_{name}", text, labels, registry=registry), labels)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return self._remembered(Gauge(f"edge_agent_{name}", text, labels, registry=registry), labels)

        self._machine = gauge(
            "machine_info",
            "The machines that are configured and what was learnt of them; always 1.",
            "machine",
            "type",
            "profile",
        )
        self._windows = counter("windows", "Windows finished, by what they said of the machine.", "machine", "state")
        self._score = gauge("window_score", "Anomaly score of the last window.", "machine")
        self._threshold = gauge("window_threshold", "Score above which a window is anomalous.", "machine")
        self._percentile = gauge(
            "window_percentile_ratio",
            "Where the last score lies among the machine's own normal windows, 0-1.",
            "machine",
        )
        self._level = gauge("window_level_dbfs", "Level of the last window; NaN for digital silence.", "machine")
        self._level_spl = gauge(
            "window_level_db_spl",
            "Sound pressure level of the last window, where the channel is calibrated.",
            "machine",
        )
        self._input_finding = gauge(
            "input_finding", "1 while the last window found this wrong with the input.", "machine", "finding"
        )
        self._last_window = gauge(
            "window_last_scored_timestamp_seconds", "Wall time at which the last window was finished.", "machine"
        )
        self._alarm = gauge("alarm_state", "1 for the state that the machine's alarm is in.", "machine", "state")
        self._alarm_raised = gauge(
            "alarm_raised_timestamp_seconds",
            "Wall time at which the episode began that the machine's alarm tells of; none while it is normal.",
            "machine",
        )
        self._alarms = counter("alarms_raised", "Alarm episodes begun; exemplars name alarm and clip.", "machine")
        self._alarm_changes = counter("alarm_changes", "Changes of alarms, by what happened.", "kind", "event")
        self._clip_score = Histogram(
            "edge_agent_clip_score_ratio",
            "Scores of kept clips as a share of the threshold; exemplars name the clip.",
            ["machine"],
            buckets=_SCORE_BUCKETS,
            registry=registry,
        )
        self._remembered(self._clip_score, ("machine",))
        self._frames_shed = counter(
            "page_frames_shed", "Spectrogram frames that the page was to show and did not, by cause.", "cause"
        )
        self._input_fault = gauge("input_fault", "1 while a fault of the machine's input lasts.", "machine", "fault")
        self._plant_event = gauge("plant_event", "1 while most machines are odd at once.")
        self._learning_frozen = gauge(
            "learning_frozen", "1 while nothing may be learnt of the machine, for something is wrong.", "machine"
        )
        self._alarm_store = counter("alarm_store_failures", "Alarms not written or read, by what failed.", "operation")
        self._commands = counter("commands", "Commands, by what became of them.", "verb", "outcome")
        self._latency = Histogram(
            "edge_agent_publish_latency_seconds",
            "Time from a window's end to the broker's acknowledgement, events of now only.",
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._stage = Histogram(
            "edge_agent_stage_duration_seconds",
            "Computing time of one stage.",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=registry,
        )
        self._source_state = gauge("source_state", "1 for the state that the source is in.", "source", "state")
        self._restarts = counter(
            "restarts", "Restarts of a part of the agent, such as a device's process.", "component"
        )
        self._queue = gauge("queue_depth_items", "Items waiting in a queue inside the agent.", "queue")
        self._clock_synced = gauge("clock_synced", "1 while the wall clock is synchronised.")
        self._disk_free = gauge("state_disk_free_bytes", "Room left on the file system of the state directory.")
        self._disk_size = gauge("state_disk_size_bytes", "Size of the file system of the state directory.")
        self._model = gauge("model_info", "The models in use; always 1.", "name", "version", "sha256")
        self._build = gauge("build_info", "The software; always 1.", "version", "python")
        for cause in SHED_CAUSES:
            self._frames_shed.labels(cause)
        for operation in STORE_OPERATIONS:
            self._alarm_store.labels(operation)
        self._started = gauge("start_time_seconds", "Wall time at which the agent was started.")

    def watch_ledgers(self, read: Callable[[], Iterable[LedgerReading]]) -> None:
        """Show every channel's sample ledger."""
        self._registry.register(LedgerCollector(read))

    def watch_outbox(self, read: Callable[[], OutboxReading]) -> None:
        """Show the outbox."""
        self._registry.register(OutboxCollector(read))

    def watch_delivery(self, read: Callable[[], DeliveryReading]) -> None:
        """Show the publisher."""
        self._registry.register(DeliveryCollector(read))

    def watch_queue(self, queue: str, depth: Callable[[], int]) -> None:
        """Show how much waits in a queue."""
        self._queue.labels(queue).set_function(lambda: float(depth()))

    def watch_disk(self, path: Path) -> None:
        """Show the room on the file system that holds the state directory; NaN while it cannot be asked."""

        def room(kind: str) -> float:
            try:
                return float(getattr(shutil.disk_usage(path), kind))
            except OSError:
                return math.nan

        self._disk_free.set_function(lambda: room("free"))
        self._disk_size.set_function(lambda: room("total"))

    def watch_intake(self, read: Callable[[], IntakeReading]) -> None:
        """Show the way into the outbox."""
        self._registry.register(IntakeCollector(read))

    def watch_clips(self, read: Callable[[], ClipsReading]) -> None:
        """Show kept sound."""
        self._registry.register(ClipsCollector(read))

    def watch_sync(self, read: Callable[[], SyncReading]) -> None:
        """Show the sync with the hub."""
        self._registry.register(SyncCollector(read))

    def watch_updates(self, read: Callable[[], UpdatesReading]) -> None:
        """Show new bundles on their way into use."""
        self._registry.register(UpdatesCollector(read))

    def started(self, *, version: str, python: str, wall_s: float) -> None:
        """The agent runs."""
        self._build.labels(version, python).set(1)
        self._started.set(wall_s)

    def model_loaded(self, *, name: str, version: str, sha256: str) -> None:
        """A bundle was verified and is in use from now on."""
        former, self._bundle = self._bundle, (name, version, sha256)
        self._model.labels(*self._bundle).set(1)
        if former not in (None, self._bundle):
            self._model.remove(*former)

    def machines(self, machines: Iterable[MachineReading]) -> None:
        """These machines are configured: their counters exist from now on, at 0, and nothing of those that are gone."""
        former, self._machines = self._machines, {each.machine: each for each in machines}
        for machine in former.keys() - self._machines.keys():
            self._forget("machine", machine)
        for machine, reading in self._machines.items():
            before = former.get(machine)
            self._machine.labels(machine, reading.type, one_of(reading.profile, PROFILES)).set(1)
            if before is None:
                for state in MACHINE_STATES:
                    self._windows.labels(machine, state)
                self._alarms.labels(machine)
                self._clip_score.labels(machine)
                self.alarm_state(machine, "normal")
                self.input_findings(machine, ())
            elif before != reading:
                self._machine.remove(machine, before.type, before.profile)

    def source_known(self, source: str) -> None:
        """A source is configured: its counters exist from now on, at 0."""
        self._restarts.labels(source)

    def source_gone(self, source: str) -> None:
        """A source was configured away: nothing is told of it any more."""
        self._forget("source", source)
        self._forget("component", source)

    def window_scored(
        self,
        machine: str,
        *,
        state: str,
        score: float | None,
        threshold: float | None,
        percentile: float | None,
        level_dbfs: float | None,
        level_db_spl: float | None = None,
        wall_s: float | None = None,
    ) -> None:
        """A window is finished; score, threshold and percentile (0-100) are None for a machine without a profile."""
        self._windows.labels(machine, one_of(state, MACHINE_STATES)).inc()
        if score is not None:
            self._score.labels(machine).set(score)
        if threshold is not None:
            self._threshold.labels(machine).set(threshold)
        if percentile is not None:
            self._percentile.labels(machine).set(percentile / 100)
        self._level.labels(machine).set(float("nan") if level_dbfs is None else level_dbfs)
        if level_db_spl is not None:
            self._level_spl.labels(machine).set(level_db_spl)
        if wall_s is not None:
            self._last_window.labels(machine).set(wall_s)

    def input_findings(self, machine: str, findings: Collection[str]) -> None:
        """What the last window found wrong with the machine's input."""
        for finding in findings:
            one_of(finding, INPUT_FINDINGS)
        for each in INPUT_FINDINGS:
            self._input_finding.labels(machine, each).set(each in findings)

    def alarm_state(self, machine: str, state: str, *, raised_s: float | None = None) -> None:
        """The machine's alarm came into a state; the wall time at which its episode began, where there is one."""
        _set_one(self._alarm, machine, one_of(state, ALARM_STATES), ALARM_STATES)
        if raised_s is not None and state != "normal":
            self._alarm_raised.labels(machine).set(raised_s)
        else:
            self._alarm_raised.remove_by_labels({"machine": machine})

    def alarm_raised(self, machine: str, alarm: str) -> None:
        """An alarm episode began; its id becomes the exemplar."""
        self._alarms.labels(machine).inc(exemplar={"alarm_id": alarm})

    def alarm_heard(self, machine: str, alarm: str, clip: str) -> None:
        """A clip of an alarm is on the disk: the exemplar of the alarm names it from now on."""
        self._alarms.labels(machine).inc(0, exemplar={"alarm_id": alarm, "clip_id": clip})

    def clip_kept(self, machine: str, clip: str, *, score: float, threshold: float) -> None:
        """A clip of a scored window is on the disk; its id becomes the exemplar of its bucket."""
        if threshold > 0:
            self._clip_score.labels(machine).observe(score / threshold, exemplar={"clip_id": clip})

    def page_frames_shed(self, cause: str, frames: int) -> None:
        """Frames of a spectrogram that somebody looks at were not shown: `behind` or `slow_viewer`."""
        self._frames_shed.labels(one_of(cause, SHED_CAUSES)).inc(frames)

    def alarm_changed(self, kind: str, event: str) -> None:
        """Something happened to an alarm; both words are those of the alarm events."""
        self._alarm_changes.labels(kind, event).inc()

    def alarm_store_failed(self, operation: str) -> None:
        """Alarms could not be written or read; one of `STORE_OPERATIONS`."""
        self._alarm_store.labels(one_of(operation, STORE_OPERATIONS)).inc()

    def faults_known(self, machine: str, faults: Iterable[str]) -> None:
        """A machine is watched: the faults of its input are shown from now on, as absent."""
        for fault in faults:
            self._input_fault.labels(machine, fault)
        self._learning_frozen.labels(machine)

    def input_fault(self, machine: str, fault: str, *, on: bool) -> None:
        """A fault of a machine's input began or ended."""
        self._input_fault.labels(machine, fault).set(on)

    def plant_event(self, *, on: bool) -> None:
        """A plant event began or ended."""
        self._plant_event.set(on)

    def learning_frozen(self, machine: str, *, frozen: bool) -> None:
        """Whether nothing may be learnt of a machine."""
        self._learning_frozen.labels(machine).set(frozen)

    def command_known(self, verb: str) -> None:
        """Something can be asked for: its counter exists from now on, at 0."""
        self._commands.labels(verb, "done")

    def command(self, verb: str, outcome: str) -> None:
        """A command was dealt with: `done`, `repeated`, or why it was refused; both words are bounded sets."""
        self._commands.labels(verb, outcome).inc()

    def published(self, latency_s: float) -> None:
        """An event of now was acknowledged this long after its window's end; a stepped clock's nonsense is left out."""
        if 0 <= latency_s < 86_400:
            self._latency.observe(latency_s)

    def stage_took(self, stage: str, duration_s: float) -> None:
        """One stage was run."""
        self._stage.labels(one_of(stage, STAGES)).observe(duration_s)

    def source_state(self, source: str, state: State) -> None:
        """A source came into a state."""
        _set_one(self._source_state, source, state.value, tuple(State))

    def restarted(self, component: str) -> None:
        """A part of the agent was started again."""
        self._restarts.labels(component).inc()

    def clock_synced(self, *, synced: bool) -> None:
        """Whether the wall clock is synchronised."""
        self._clock_synced.set(synced)

    def _remembered(self, metric: _M, labels: tuple[str, ...]) -> _M:
        self._labelled.append((metric, labels))
        return metric

    def _forget(self, label: str, value: str) -> None:
        for metric, labels in self._labelled:
            if label in labels:
                metric.remove_by_labels({label: value})


def _set_one(gauge: Gauge, name: str, state: str, states: tuple[str, ...]) -> None:
    for each in states:
        gauge.labels(name, each).set(each == state)
