"""The daemon: builds every part from the settings and ties them together."""

import logging
import os
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

import edge_agent
from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.capture.runner import SourceChange, SourceRunner, SourceState
from edge_agent.config.check import Report
from edge_agent.config.log import LogSection
from edge_agent.config.secret import SecretFileError
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import SourceSection
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.status import GatewayFacts
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.errors import DetectionError
from edge_agent.engine import Engine
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import load_bundle
from edge_agent.observe.health import Health, HealthLimits, Kind, State
from edge_agent.observe.http import HttpServer, create_app
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.systemd import SystemdNotifier
from edge_agent.pipeline.analyse import Analyser, WindowShape
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.readings import ledger_readings
from edge_agent.reload import Changes, compare
from edge_agent.reporter import Reporter
from edge_agent.sources import is_live, source_opener
from edge_agent.uplink import Uplink
from edge_agent.wiring import machines_of, mqtt_settings, roster, source_plans

_log = logging.getLogger(__name__)

SCORER = "scorer"
_POLL_S = 0.5
_RETRY_EVERY_S = 5.0
_LEAST_UNSCORED_S = 60.0  # where a source is faster than time, a round takes 256 blocks before it scores any
_PING_EVERY_S = 0.5
_HAND_OVER_S = 10.0


class Daemon:
    """One agent, from its settings to its end.

    Args:
        settings: The settings.
        environ: The environment, for secrets and systemd.
        load: Reads and checks the configuration anew, for `reload`.
        set_up_log: Applies the log's settings, at a reload.

    Raises:
        BundleError: The bundle cannot be used.
        DetectionError: A profile cannot be used with it.
        CommandError: The state directory cannot be made.
        DeliveryError: The outbox cannot be opened.
        ObserveError: The HTTP port cannot be listened on.
    """

    def __init__(
        self,
        settings: AgentSettings,
        environ: Mapping[str, str],
        *,
        load: Callable[[], Report],
        set_up_log: Callable[[LogSection], None],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._load = load
        self._set_up_log = set_up_log
        self._stop = threading.Event()
        self._reload_asked = threading.Event()
        self._notice = ""
        self._pinged_s = float("-inf")
        self._clock = SystemClock()
        self._notifier = SystemdNotifier.from_environment(environ, pid=os.getpid())
        self._state_dir = state_dir = settings.agent.resolve_state_dir(environ)

        self._bundle = bundle = load_bundle(settings.model.resolve_bundle(state_dir))
        reference = bundle_reference(bundle.ref)
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._health = Health(HealthLimits(max_unscored_s=max(_LEAST_UNSCORED_S, 3 * settings.window.window_s)))
        self._started_ns = self._clock.wall_ns()
        self._metrics.started(
            version=edge_agent.__version__, python=platform.python_version(), wall_s=self._started_ns / NS_PER_S
        )
        self._metrics.model_loaded(name=reference.name, version=reference.version, sha256=reference.sha256)
        self._health.bundle_verified(f"{reference.name} {reference.version}", self_test_passed=True)

        self._queue = BlockQueue()
        self._metrics.watch_queue("blocks", self._queue.__len__)
        self._roster = roster(settings, bundle, state_dir)
        self._engine = Engine(
            Analyser(bundle.encoder()),
            settings=bundle.manifest.signal,
            shape=WindowShape(settings.window.window_s, settings.window.hop_s),
            policy=ScorePolicy(settings.window.window_s, settings.window.min_coverage),
            sources=source_plans(settings, self._roster),
            clock=self._clock,
            on_stage=self._metrics.stage_took,
        )
        self._metrics.watch_ledgers(lambda: ledger_readings(self._engine.ledgers()))

        topics = Topics(settings.mqtt.root_topic, settings.agent.site, settings.agent.gateway)
        ulids = UlidFactory(now_ms=lambda: self._clock.wall_ns() // 1_000_000, randomness=os.urandom)
        messages = MessageFactory(topics, ulids)
        for machine in settings.machine:
            self._metrics.machine_known(machine.id)

        # The port is the first thing taken, the state directory the second: where either fails nothing is left behind.
        self._http = self._open_http()
        _make_state_dir(state_dir)

        self._uplink: Uplink | None = None
        if settings.mqtt.enabled:
            self._uplink = Uplink(
                settings,
                environ,
                state_dir=state_dir,
                topics=topics,
                messages=messages,
                facts=lambda: self._facts(reference),
                clock=self._clock,
                metrics=self._metrics,
                health=self._health,
            )
        self._reporter = Reporter(
            messages=messages,
            ulids=ulids,
            intake=None if self._uplink is None else self._uplink.intake,
            metrics=self._metrics,
            health=self._health,
            bundle=reference,
            clock=self._clock,
            machines_of=machines_of(settings),
        )
        self._runners = {section.id: self._make_runner(section, settings) for section in settings.source}
        self._shown: dict[str, State] = {}
        self._rates: dict[str, int] = {}
        self._down_ns: dict[str, int] = {}
        self._was_synced = self._clock.is_synced()
        self._metrics.clock_synced(synced=self._was_synced)

    def run(self) -> None:
        """Listen until `stop` is called; then hand over what is captured and end."""
        self._health.register(SCORER, Kind.LOOP, now_s=self._now_s())
        if self._http is not None:
            self._http.start()
        if self._uplink is not None:
            self._uplink.start()
        for runner in self._runners.values():
            self._start_source(runner)
        self._notifier.ready(f"listening to {len(self._runners)} sources")
        _log.info("listening to %d sources, state in %s", len(self._runners), self._state_dir)
        last_retry_s = self._now_s()
        while not self._stop.is_set():
            self._round(_POLL_S)
            if self._reload_asked.is_set():
                self._reload_asked.clear()
                self._reload()
            if self._now_s() - last_retry_s >= _RETRY_EVERY_S:
                last_retry_s = self._now_s()
                self._look_after()
        self._shut_down()

    def stop(self) -> None:
        """Ask the daemon to end; from a signal handler or another thread."""
        self._stop.set()

    def reload(self) -> None:
        """Ask the daemon to take over the configuration on disk; from a signal handler or another thread."""
        self._reload_asked.set()

    def _round(self, timeout_s: float) -> int:
        """Take what arrived, score what is complete; returns how many arrivals there were."""
        arrivals = self._queue.take(timeout_s)
        for arrival in arrivals:
            if self._engine.hears(arrival.source_id):  # else: from a reader that did not stop in time, said in the log
                self._engine.accept(arrival)
                self._note(arrival)
        for event in self._engine.drain():
            self._reporter.window(event)
        self._health.beat(SCORER, now_s=self._now_s())
        self._show_sources()
        if self._now_s() - self._pinged_s >= _PING_EVERY_S and self._health.live(now_s=self._now_s()).ok:
            self._pinged_s = self._now_s()
            self._notifier.watchdog()
        return len(arrivals)

    def _note(self, arrival: Arrival) -> None:
        if arrival.block is not None:
            self._rates[arrival.source_id] = arrival.rate_hz
            if arrival.arrived_ns <= self._down_ns.get(arrival.source_id, -1):
                return  # it went down after this: what was still queued does not make it look up
            seconds = len(arrival.block.samples) / arrival.rate_hz
            self._health.audio(arrival.source_id, seconds, now_s=self._now_s())

    def _source_changed(self, change: SourceChange) -> None:
        if change.state is SourceState.DOWN and change.source_id in self._runners:
            self._down_ns[change.source_id] = self._clock.monotonic_ns()
            self._health.down(change.source_id, change.detail)
            if change.detail != "ended":
                self._metrics.restarted(change.source_id)
        elif change.state is SourceState.DEGRADED and change.source_id in self._runners:
            self._health.degraded(change.source_id, change.detail)
        elif change.state is SourceState.UP and change.source_id in self._runners:
            self._health.recovered(change.source_id)

    def _show_sources(self) -> None:
        now_s = self._now_s()
        for section in self._settings.source:
            report = self._health.component(section.id, now_s=now_s)
            if self._shown.get(section.id) is not report.state:
                self._shown[section.id] = report.state
                channels = len(section.channel)
                self._reporter.source_changed(report, rate_hz=self._rates.get(section.id), channels=channels)

    def _look_after(self) -> None:
        """What needs no haste."""
        self._metrics.clock_synced(synced=self._was_synced)
        if self._uplink is not None:
            self._uplink.look_after()
        synced = self._clock.is_synced()
        if synced and not self._was_synced:
            # the one step that is taken over: the first good time. Later ones move no stamp.
            _log.info("wall clock is synchronised, stamps move by %.3f s", self._clock.step_ns() / NS_PER_S)
            self._clock.reanchor()
        self._was_synced = synced
        self._notifier.status(self._status_line())

    def _status_line(self) -> str:
        up = sum(state is State.UP for state in self._shown.values())
        return f"{up} of {len(self._runners)} sources up{self._notice}"

    def _reload(self) -> None:
        """Take over what changed in the configuration on disk, or keep the old one as a whole."""
        self._notifier.reloading()
        report = self._load()
        problems = [str(problem) for problem in report.problems]
        if report.settings is not None and not problems:
            changes = compare(self._settings, report.settings)
            try:
                self._take_over(changes)
            except (DetectionError, CommandError, SecretFileError) as error:
                problems = [str(error)]
            else:
                waiting = ", ".join(changes.waiting)
                self._notice = f"; restart to take over {waiting}" if waiting else ""
                _log.info("configuration reloaded: %s", changes)
        if problems:
            for problem in problems:
                _log.error("configuration not taken over: %s", problem)
            self._notice = f"; configuration on disk is bad, the old one is kept: {problems[0]}"
        self._notifier.ready(self._status_line())

    def _take_over(self, changes: Changes) -> None:
        """Everything that can be refused comes first; what follows does not fail."""
        settings = changes.effective
        machines = roster(settings, self._bundle, self._state_dir)
        mqtt = mqtt_settings(settings, self._environ) if settings.mqtt.enabled else None
        self._set_up_log(settings.log)
        leaving = {name: self._runners[name] for name in changes.leaving}
        self._while_listening(*(runner.stop for runner in leaving.values()))
        self._hear_the_rest(tuple(leaving))
        for name in leaving:
            del self._runners[name]
            self._engine.remove(name)
            self._health.forget(name)
            self._shown.pop(name, None)
            self._rates.pop(name, None)
        machines.take_over(self._roster)
        self._settings, self._roster = settings, machines
        self._reporter.hears(machines_of(settings))
        for machine in settings.machine:
            self._metrics.machine_known(machine.id)
        plans = source_plans(settings, machines)
        for name in self._runners:
            self._engine.listen(name, plans[name])
        for section in settings.source:
            if section.id in changes.coming:
                self._engine.add(section.id, plans[section.id])
                runner = self._runners[section.id] = self._make_runner(section, settings)
                self._start_source(runner)
        uplink = self._uplink
        if mqtt is not None and uplink is not None:
            self._while_listening(lambda: uplink.reconnect(mqtt))

    def _while_listening(self, *actions: Callable[[], object]) -> None:
        """Do what may take seconds while every source goes on being heard."""
        threads = [threading.Thread(target=action, name="reload", daemon=True) for action in actions]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self._round(0.05)

    def _hear_the_rest(self, sources: tuple[str, ...]) -> None:
        """Score what sources that were stopped had handed over."""
        until_s = self._now_s() + _HAND_OVER_S
        while waiting := [name for name in sources if not self._engine.ended(name)]:
            if self._now_s() > until_s:
                _log.warning("source %s did not stop in time", ", ".join(waiting))
                return
            self._round(0.05)

    def _make_runner(self, section: SourceSection, settings: AgentSettings) -> SourceRunner:
        return SourceRunner(
            section.id,
            source_opener(section, settings),
            self._queue,
            self._clock,
            self._source_changed,
            live=is_live(section),
        )

    def _start_source(self, runner: SourceRunner) -> None:
        self._health.register(runner.source_id, Kind.SOURCE, now_s=self._now_s())
        runner.start()

    def _shut_down(self) -> None:
        self._notifier.stopping("handing over what was captured")
        self._engine.stopping()
        self._while_listening(*(runner.stop for runner in self._runners.values()))
        self._hear_the_rest(tuple(self._runners))
        self._queue.close()
        for event in self._engine.stop():
            self._reporter.window(event)
        if self._uplink is not None:
            self._uplink.stop()
        if self._http is not None:
            self._http.stop()
        _log.info("stopped")

    def _facts(self, bundle: BundleRef) -> GatewayFacts:
        return GatewayFacts(
            gateway=self._settings.agent.gateway,
            agent_version=edge_agent.__version__,
            started_ns=self._started_ns,
            bundle=bundle,
            machines=tuple(machine.id for machine in self._settings.machine),
            clock_synced=self._clock.is_synced(),
        )

    def _open_http(self) -> HttpServer | None:
        http = self._settings.http
        if not http.enabled:
            return None
        app = create_app(
            self._registry,
            lambda: self._health.report(now_s=self._now_s()),
            token=None if http.token_file is None else http.token_file.read(self._environ).get_secret_value(),
        )
        return HttpServer(app, host=http.host, port=http.port)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


def _make_state_dir(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise CommandError(
            f"state directory {path} cannot be made ({error.strerror}); set agent.state_dir or mend its rights"
        ) from error
