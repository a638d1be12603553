"""The daemon: builds every part from the settings and ties them together."""

import logging
import os
import platform
import random
import threading
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry

import edge_agent
from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.capture.runner import SourceChange, SourceRunner, SourceState
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import Message, MessageFactory
from edge_agent.delivery.mqtt import Publisher
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayFacts, GatewayStatus
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.engine import Engine
from edge_agent.inference.bundle import load_bundle
from edge_agent.observe.health import Health, HealthLimits, Kind, State
from edge_agent.observe.http import HttpServer, create_app
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.systemd import SystemdNotifier
from edge_agent.pipeline.analyse import Analyser, WindowShape
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.readings import delivery_reading, ledger_readings, outbox_reading
from edge_agent.reporter import Reporter
from edge_agent.sources import is_live, source_opener
from edge_agent.wiring import machines_of, mqtt_settings, outbox_limits, roster, source_plans

_log = logging.getLogger(__name__)

SCORER = "scorer"
_POLL_S = 0.5
_RETRY_EVERY_S = 5.0


class Daemon:
    """One agent, from its settings to its end.

    Args:
        settings: The settings.
        environ: The environment, for secrets and systemd.

    Raises:
        BundleError: The bundle cannot be used.
        DetectionError: A profile cannot be used with it.
        DeliveryError: The outbox cannot be opened.
        ObserveError: The HTTP port cannot be listened on.
    """

    def __init__(self, settings: AgentSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._clock = SystemClock()
        self._notifier = SystemdNotifier.from_environment(environ, pid=os.getpid())
        state_dir = settings.agent.resolve_state_dir(environ)
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)

        bundle = load_bundle(settings.model.resolve_bundle(state_dir))
        reference = bundle_reference(bundle.ref)
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._health = Health(HealthLimits(max_unscored_s=3 * settings.window.window_s))
        self._started_ns = self._clock.wall_ns()
        self._metrics.started(
            version=edge_agent.__version__, python=platform.python_version(), wall_s=self._started_ns / NS_PER_S
        )
        self._metrics.model_loaded(name=reference.name, version=reference.version, sha256=reference.sha256)
        self._health.bundle_verified(f"{reference.name} {reference.version}", self_test_passed=True)

        self._queue = BlockQueue()
        self._metrics.watch_queue("blocks", self._queue.__len__)
        self._engine = Engine(
            Analyser(bundle.encoder()),
            settings=bundle.manifest.signal,
            shape=WindowShape(settings.window.window_s, settings.window.hop_s),
            policy=ScorePolicy(settings.window.window_s, settings.window.min_coverage),
            sources=source_plans(settings, roster(settings, bundle, state_dir)),
            clock=self._clock,
        )
        self._metrics.watch_ledgers(lambda: ledger_readings(self._engine.ledgers()))

        topics = Topics(settings.mqtt.root_topic, settings.agent.site, settings.agent.gateway)
        ulids = UlidFactory(now_ms=lambda: self._clock.wall_ns() // 1_000_000, randomness=os.urandom)
        messages = MessageFactory(topics, ulids)
        machines = tuple(machine.id for machine in settings.machine)
        for machine in machines:
            self._metrics.machine_known(machine)

        self._outbox: SqliteOutbox | None = None
        self._publisher: Publisher | None = None
        self._intake: Intake | None = None
        if settings.mqtt.enabled:
            self._outbox = SqliteOutbox(state_dir / "outbox.db", outbox_limits(settings))
            status = GatewayStatus(
                messages,
                lambda: GatewayFacts(
                    gateway=settings.agent.gateway,
                    agent_version=edge_agent.__version__,
                    started_ns=self._started_ns,
                    bundle=reference,
                    machines=machines,
                    clock_synced=self._clock.is_synced(),
                ),
                self._clock.wall_ns,
            )
            self._publisher = Publisher(
                mqtt_settings(settings, environ),
                topics,
                self._outbox,
                status,
                jitter=random.random,
                wall_ns=lambda: self._clock.wall_ns() if self._clock.is_synced() else None,
                listener=_DeliveryWatch(self._metrics, self._health, self._clock),
            )
            self._intake = Intake(self._outbox, self._publisher.notify)
            self._health.register("mqtt", Kind.SINK, now_s=self._now_s())
            self._watch_delivery(self._outbox, self._publisher, self._intake)

        self._reporter = Reporter(
            messages=messages,
            ulids=ulids,
            intake=self._intake,
            metrics=self._metrics,
            health=self._health,
            bundle=reference,
            clock=self._clock,
            machines_of=machines_of(settings),
        )
        self._runners = [
            SourceRunner(
                section.id,
                source_opener(section, settings),
                self._queue,
                self._clock,
                self._source_changed,
                live=is_live(section),
            )
            for section in settings.source
        ]
        self._shown: dict[str, State] = {}
        self._rates: dict[str, int] = {}
        self._was_synced = self._clock.is_synced()
        self._http: HttpServer | None = None
        if settings.http.enabled:
            token = settings.http.token_file
            app = create_app(
                self._registry,
                lambda: self._health.report(now_s=self._now_s()),
                token=None if token is None else token.read(environ).get_secret_value(),
            )
            self._http = HttpServer(app, host=settings.http.host, port=settings.http.port)

    def run(self) -> None:
        """Listen until `stop` is called; then hand over what is captured and end."""
        self._health.register(SCORER, Kind.LOOP, now_s=self._now_s())
        for runner in self._runners:
            self._health.register(runner.source_id, Kind.SOURCE, now_s=self._now_s())
        if self._http is not None:
            self._http.start()
        if self._publisher is not None:
            self._publisher.start()
        for runner in self._runners:
            runner.start()
        self._notifier.ready(f"listening to {len(self._runners)} sources")
        _log.info("listening to %d sources, state in %s", len(self._runners), self._settings.agent.gateway)
        last_retry_s = self._now_s()
        while not self._stop.is_set():
            self._round(_POLL_S)
            if self._now_s() - last_retry_s >= _RETRY_EVERY_S:
                last_retry_s = self._now_s()
                self._look_after()
        self._shut_down()

    def stop(self) -> None:
        """Ask the daemon to end; from a signal handler or another thread."""
        self._stop.set()

    def _round(self, timeout_s: float) -> int:
        """Take what arrived, score what is complete; returns how many arrivals there were."""
        arrivals = self._queue.take(timeout_s)
        started_s = time.perf_counter()
        for arrival in arrivals:
            self._engine.accept(arrival)
            self._note(arrival)
        windows = 0
        for event in self._engine.drain():
            self._reporter.window(event)
            windows += 1
        if windows:
            self._metrics.stage_took("score", time.perf_counter() - started_s)
        self._health.beat(SCORER, now_s=self._now_s())
        self._show_sources()
        if self._health.live(now_s=self._now_s()).ok:
            self._notifier.watchdog()
        return len(arrivals)

    def _note(self, arrival: Arrival) -> None:
        if arrival.block is not None:
            self._rates[arrival.source_id] = arrival.rate_hz
            seconds = len(arrival.block.samples) / arrival.rate_hz
            self._health.audio(arrival.source_id, seconds, now_s=self._now_s())

    def _source_changed(self, change: SourceChange) -> None:
        if change.state is SourceState.DOWN:
            self._health.down(change.source_id, change.detail)
            if change.detail != "ended":
                self._metrics.restarted(change.source_id)

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
        if self._intake is not None:
            self._intake.retry()
        synced = self._clock.is_synced()
        if synced and not self._was_synced:
            # the one step that is taken over: the first good time. Later ones move no stamp.
            _log.info("wall clock is synchronised, stamps move by %.3f s", self._clock.step_ns() / NS_PER_S)
            self._clock.reanchor()
        self._was_synced = synced
        up = sum(state is State.UP for state in self._shown.values())
        self._notifier.status(f"{up} of {len(self._runners)} sources up")

    def _shut_down(self) -> None:
        self._notifier.stopping("handing over what was captured")
        for runner in self._runners:
            if not runner.stop():
                _log.warning("source %s did not stop in time", runner.source_id)
        while self._round(0.0):
            pass
        self._queue.close()
        for event in self._engine.stop():
            self._reporter.window(event)
        if self._publisher is not None:
            self._publisher.stop()
        if self._outbox is not None:
            self._outbox.close()
        if self._http is not None:
            self._http.stop()
        _log.info("stopped")

    def _watch_delivery(self, outbox: SqliteOutbox, publisher: Publisher, intake: Intake) -> None:
        self._metrics.watch_outbox(lambda: outbox_reading(outbox.stats(), self._clock.wall_ns()))
        self._metrics.watch_delivery(lambda: delivery_reading(publisher.stats()))
        self._metrics.watch_intake(lambda: intake.held)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


class _DeliveryWatch:
    """What the publisher tells, into metrics and health; on the publisher's thread."""

    def __init__(self, metrics: Metrics, health: Health, clock: SystemClock) -> None:
        self._metrics = metrics
        self._health = health
        self._clock = clock

    def published(self, message: Message, *, replayed: bool) -> None:
        now_ns = self._clock.wall_ns()
        if not replayed:
            self._metrics.published((now_ns - message.occurred_ns) / NS_PER_S)
        self._beat()

    def failed(self, failure: Failure) -> None:
        self._health.down("mqtt", failure.value)

    def connection_changed(self, *, connected: bool) -> None:
        if connected:
            self._beat()
        else:
            self._health.down("mqtt", "no connection to the broker")

    def _beat(self) -> None:
        self._health.beat("mqtt", now_s=self._clock.monotonic_ns() / NS_PER_S)
