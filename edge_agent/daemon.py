"""The daemon: builds every part from the settings and ties them together."""

import logging
import os
import platform
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

import edge_agent
from edge_agent.agent.alarm_desk import AlarmDesk
from edge_agent.agent.control import Control
from edge_agent.agent.crew import Crew, while_working
from edge_agent.agent.engine import Engine, WindowEvent
from edge_agent.agent.keeping import ClipKeeping
from edge_agent.agent.profiles import ProfileStore, ProfileWatch
from edge_agent.agent.readings import ledger_readings
from edge_agent.agent.reload import Changes, compare
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.sender import Sender
from edge_agent.agent.trends import Trends
from edge_agent.agent.uplink import Uplink
from edge_agent.agent.wiring import (
    alarm_rules,
    condition_rules,
    home_assistant_letters,
    machines_of,
    mqtt_settings,
    roster,
    source_plans,
)
from edge_agent.capture.block_queue import BlockQueue
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.commissioning.address import socket_path
from edge_agent.commissioning.direct import channel_of
from edge_agent.commissioning.items import SourceStatus
from edge_agent.commissioning.server import TapServer
from edge_agent.commissioning.tap import Taps
from edge_agent.config.check import Report
from edge_agent.config.log import LogSection
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.status import GatewayFacts
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import Slot, bundle_dir, profiles_dir, read_in_use
from edge_agent.observe.health import Health, HealthLimits, Kind
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.systemd import SystemdNotifier
from edge_agent.pipeline.analyse import Analyser, SampleTap, WindowShape
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.roster import Roster
from edge_agent.settings.secret import SecretFileError
from edge_agent.sync.updates.boot import begin
from edge_agent.web.behind import AgentParts, behind
from edge_agent.web.frontage import Frontage
from edge_agent.web.live_frames import LiveFrames
from edge_agent.web.watch import seen_window

if TYPE_CHECKING:
    from edge_agent.agent.hub_link import HubLink
    from edge_agent.agent.updates import Updates

_log = logging.getLogger(__name__)

SCORER = "scorer"
_POLL_S = 0.5
_RETRY_EVERY_S = 5.0
_BEHIND_BLOCKS = 256  # more than a round takes: the scorer does not keep up, and clips give way
_PAGE_BEHIND_BLOCKS = 64  # the page's moving spectrogram gives way before them
_LEAST_UNSCORED_S = 60.0  # where a source is faster than time, a round takes 256 blocks before it scores any
_PING_EVERY_S = 0.5


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

    _refused_slot: Slot | None = None

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
        self._stop, self._reload_asked = threading.Event(), threading.Event()
        self._notice = ""
        self._pinged_s = float("-inf")
        self._clock = SystemClock()
        self._notifier = SystemdNotifier.from_environment(environ, pid=os.getpid())
        self._state_dir = state_dir = settings.agent.resolve_state_dir(environ)

        self._store = ProfileStore(state_dir)
        self._bundle, self._roster = self._begin_with(settings)
        bundle = self._bundle
        reference = bundle_reference(bundle.ref)
        self._registry = CollectorRegistry()
        self._metrics = Metrics(self._registry)
        self._health = Health(HealthLimits(max_unscored_s=max(_LEAST_UNSCORED_S, 3 * settings.window.window_s)))
        self._started_ns = self._clock.wall_ns()
        self._metrics.started(
            version=edge_agent.__version__, python=platform.python_version(), wall_s=self._started_ns / NS_PER_S
        )
        self._show_models(reference)

        self._queue = BlockQueue()
        self._metrics.watch_queue("blocks", self._queue.__len__)
        self._live_frames = LiveFrames(
            behind=lambda: len(self._queue) > _PAGE_BEHIND_BLOCKS, on_shed=self._metrics.page_frames_shed
        )
        self._engine = Engine(
            Analyser(bundle.encoder(), keep_going=True),
            settings=bundle.manifest.signal,
            shape=WindowShape(settings.window.window_s, settings.window.hop_s),
            policy=ScorePolicy(settings.window.window_s, settings.window.min_coverage),
            sources=source_plans(settings, self._roster),
            clock=self._clock,
            on_stage=self._metrics.stage_took,
            tap=self._sample_tap,
            on_frames=self._live_frames.give,
        )
        self._metrics.watch_ledgers(lambda: ledger_readings(self._engine.ledgers()))

        topics = Topics(settings.mqtt.root_topic, settings.agent.site, settings.agent.gateway)
        ulids = UlidFactory(now_ms=lambda: self._clock.wall_ns() // 1_000_000, randomness=os.urandom)
        messages = MessageFactory(topics, ulids)
        self._metrics.machine_known(*(machine.id for machine in settings.machine))

        # The port is the first thing taken, the state directory the second: where either fails nothing is left behind.
        self._taps = Taps()
        self._frontage = Frontage(settings, environ, self._store, behind(self._parts()))
        _make_state_dir(state_dir)
        self._metrics.watch_disk(state_dir)

        self._updates = self._open_updates()
        self._hub = self._open_hub(reference)
        self._uplink = self._open_uplink(topics, messages, reference)
        sender = Sender(messages, self._way_out(), self._metrics)
        self._alarms = AlarmDesk(
            state_dir,
            rules=alarm_rules(settings),
            conditions=condition_rules(settings),
            gateway=settings.agent.gateway,
            machines=self._roster.machines,
            new_id=ulids,
            send=sender.send,
            metrics=self._metrics,
            clock=self._clock,
        )
        for machine_id, episode in self._alarms.episodes().items():
            self._roster.resume(machine_id, episode)
        self._control = Control(
            settings,
            state_dir=state_dir,
            topics=topics,
            alarms=self._alarms,
            reload=self.reload,
            describe=lambda: home_assistant_letters(self._settings, topics),
            metrics=self._metrics,
            clock=self._clock,
        )
        if self._uplink is not None:
            self._uplink.listen(self._control.mailbox)
        self._trends = Trends(state_dir / "health.json", self._roster.commissioned)
        self._reporter = Reporter(
            sender=sender,
            alarms=self._alarms,
            metrics=self._metrics,
            health=self._health,
            bundle=reference,
            clock=self._clock,
            machines_of=machines_of(settings),
            trends=self._trends,
        )
        self._clips = self._open_clips(reference, ulids)
        self._crew = Crew(
            settings,
            queue=self._queue,
            engine=self._engine,
            clock=self._clock,
            health=self._health,
            metrics=self._metrics,
            reporter=self._reporter,
        )
        self._metrics.clock_synced(synced=self._clock.is_synced())
        self._was_synced = self._clock.is_synced()
        self._profile_watch = ProfileWatch(self._store)
        self._tap_server = TapServer(
            socket_path(state_dir),
            self._taps,
            channel_of=self._channel_of,
            status_of=self._status_of,
            bundle_sha256=reference.sha256,
            window_s=settings.window.window_s,
        )

    def run(self) -> None:
        """Listen until `stop` is called; then hand over what is captured and end."""
        self._health.register(SCORER, Kind.LOOP, now_s=self._now_s())
        self._frontage.start()
        if self._uplink is not None:
            self._uplink.start()
        self._alarms.resume()
        self._control.start()
        if self._clips is not None:
            self._clips.start()
        if self._updates is not None:
            self._updates.start()
        if self._hub is not None:
            self._hub.start()
        self._crew.start()
        self._tap_server.start()
        self._notifier.ready(f"listening to {len(self._crew)} sources")
        _log.info("listening to %d sources, state in %s", len(self._crew), self._state_dir)
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

    def _round(self, timeout_s: float) -> None:
        """Take what arrived, and score what is complete."""
        for arrival in self._queue.take(timeout_s):
            self._crew.accept(arrival)
            self._tap_server.taps.arrival(arrival)
        with self._reporter.together():
            for event in self._engine.drain():
                self._window(event)
        self._health.beat(SCORER, now_s=self._now_s())
        self._crew.show()
        if self._now_s() - self._pinged_s >= _PING_EVERY_S and self._health.live(now_s=self._now_s()).ok:
            self._pinged_s = self._now_s()
            self._notifier.watchdog()

    def _window(self, event: WindowEvent) -> None:
        """A window is finished; the alarms come first, for a clip names its alarm."""
        self._reporter.window(event)
        if self._clips is not None:
            self._clips.window(event)
        if self._hub is not None:
            self._hub.window(event)
        if self._updates is not None:
            self._updates.window(event)
        self._tap_server.taps.window(event)
        self._frontage.board.window(seen_window(event))

    def _open_uplink(self, topics: Topics, messages: MessageFactory, bundle: BundleRef) -> Uplink | None:
        if not self._settings.mqtt.enabled:
            return None
        return Uplink(
            self._settings,
            self._environ,
            state_dir=self._state_dir,
            topics=topics,
            messages=messages,
            facts=lambda: self._facts(bundle_reference(self._bundle.ref)),
            clock=self._clock,
            metrics=self._metrics,
            health=self._health,
            kept=self._hub,
        )

    def _way_out(self) -> Intake | None:
        """Where events go: to the broker, or where none is used to the hub alone."""
        if self._uplink is not None:
            return self._uplink.intake
        return None if self._hub is None else self._hub.intake

    def _open_hub(self, bundle: BundleRef) -> "HubLink | None":
        if not self._settings.hub.enabled:
            return None
        from edge_agent.agent.hub_link import HubLink  # noqa: PLC0415  what speaks HTTP costs memory, for those with a hub

        return HubLink(
            self._settings,
            self._environ,
            state_dir=self._state_dir,
            started_ns=self._started_ns,
            bundle=bundle,
            clock=self._clock,
            computing_s=lambda: self._engine.computing_s,
            metrics=self._metrics,
            health=self._health,
            updates=None if self._updates is None else self._updates.desk,
        )

    def _open_updates(self) -> "Updates | None":
        hub = self._settings.hub
        if not hub.enabled or hub.transport != "network" or hub.root_file is None:
            return None
        from edge_agent.agent.updates import Updates  # noqa: PLC0415  as for the hub

        return Updates(
            lambda: self._settings,
            self._environ,
            state_dir=self._state_dir,
            bundle=self._bundle,
            left_at_start=self._left_at_start,
            behind=lambda: len(self._queue) > _BEHIND_BLOCKS,
            metrics=self._metrics,
        )

    def _begin_with(self, settings: AgentSettings) -> tuple[Bundle, Roster]:
        """The bundle in use with its profiles; the last good one where those have a flaw."""
        fitting: list[Roster] = []

        def fit(bundle: Bundle) -> None:
            self._store.follow()
            fitting[:] = [roster(settings, bundle, self._store)]

        model = settings.model
        begun = begin(self._state_dir, model.bundle, lambda: model.configured_bundle(self._state_dir), fit)
        self._left_at_start = begun.left
        return begun.bundle, fitting[0]

    def _open_clips(self, bundle: BundleRef, ulids: UlidFactory) -> ClipKeeping | None:
        settings = self._settings
        if not settings.clips.enabled:
            return None
        return ClipKeeping(
            settings,
            state_dir=self._state_dir,
            bundle=bundle,
            new_id=ulids,
            clock=self._clock,
            metrics=self._metrics,
            health=self._health,
            behind=lambda: len(self._queue) > _BEHIND_BLOCKS,
            alarms=self._alarms,
        )

    def _sample_tap(self, source: str, channel: int, rate_hz: int) -> SampleTap | None:
        return None if self._clips is None else self._clips.tap(source, channel, rate_hz)

    def _look_after(self) -> None:
        """What needs no haste."""
        self._metrics.clock_synced(synced=self._was_synced)
        self._alarms.tick()
        self._trends.keep(now_s=self._now_s())
        if changed := self._profile_watch.changed():
            self._take_profiles(changed)
        if self._clips is not None:
            self._clips.look_after()
        if self._uplink is not None:
            self._uplink.look_after()
        if self._hub is not None:
            self._hub.look_after()
        if self._updates is not None:
            self._updates.look_after(self._change_models)
        self._follow_models()
        synced = self._clock.is_synced()
        if synced and not self._was_synced:
            # the one step that is taken over: the first good time. Later ones move no stamp.
            _log.info("wall clock is synchronised, stamps move by %.3f s", self._clock.step_ns() / NS_PER_S)
            self._clock.reanchor()
        self._was_synced = synced
        self._notifier.status(f"{self._crew}{self._notice}")

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
                self._say_profiles(self._profile_watch.changed())
        if problems:
            for problem in problems:
                _log.error("configuration not taken over: %s", problem)
            self._notice = f"; configuration on disk is bad, the old one is kept: {problems[0]}"
        self._notifier.ready(f"{self._crew}{self._notice}")

    def _take_profiles(self, machines: tuple[str, ...]) -> None:
        """Use profiles that were written or removed on disk, or keep the old ones as a whole."""
        try:
            self._take_over(compare(self._settings, self._settings))
        except DetectionError as error:
            _log.error("profiles of %s not taken over: %s", ", ".join(machines), error)
        else:
            self._say_profiles(machines)

    def _say_profiles(self, machines: tuple[str, ...]) -> None:
        if machines:
            _log.info("profiles of %s taken over from the disk", ", ".join(machines))
            self._tap_server.taps.taken_over(machines)

    def _channel_of(self, machine_id: str) -> tuple[str, int]:
        """Asked by commands that listen in, on threads of theirs."""
        source, index = channel_of(self._settings, machine_id)
        return source.id, index

    def _status_of(self, source_id: str) -> SourceStatus:
        try:
            report = self._health.component(source_id, now_s=self._now_s())
        except KeyError:  # a reload took it away
            return SourceStatus("down", "no longer in the configuration")
        return SourceStatus(report.state.value, report.detail)

    def _take_over(self, changes: Changes) -> None:
        """Everything that can be refused comes first; what follows does not fail."""
        settings = changes.effective
        machines = roster(settings, self._bundle, self._store)
        mqtt = mqtt_settings(settings, self._environ) if settings.mqtt.enabled else None
        self._set_up_log(settings.log)
        self._crew.dismiss(changes.leaving, self._round)
        machines.take_over(self._roster)
        self._settings, self._roster = settings, machines
        self._trends.commissioned(machines.commissioned)
        self._reporter.hears(machines_of(settings))
        if self._clips is not None:
            self._clips.hears(settings, gone=changes.leaving)
        if self._hub is not None:
            self._hub.hears(settings)
        self._alarms.watches(machines.machines, (source.id for source in settings.source))
        self._metrics.machine_known(*(machine.id for machine in settings.machine))
        self._frontage.know(settings)
        self._crew.engage(changes.coming, settings, source_plans(settings, machines))
        uplink = self._uplink
        if mqtt is not None and uplink is not None:
            uplink.follow(settings)
            while_working(self._round, lambda: uplink.reconnect(mqtt))

    def _change_models(self, bundle: Bundle, profiles: Path, switch: Callable[[], None]) -> None:
        """Listen with another bundle and its profiles: everything that can be refused comes before the switch.

        Between two rounds nothing is left to drain: no window is lost, none is judged by half of each.
        """
        store = ProfileStore(self._state_dir, profiles)
        machines = roster(self._settings, bundle, store)
        analyser = Analyser(bundle.encoder(), keep_going=True)
        plans = source_plans(self._settings, machines)
        switch()
        self._bundle = bundle
        self._store.follow()
        self._profile_watch.changed()
        self._engine.adopt(analyser)
        machines.take_over(self._roster)
        self._roster = machines
        self._trends.commissioned(machines.commissioned)
        reference = bundle_reference(bundle.ref)
        for part in (self._reporter, self._clips, self._hub):
            if part is not None:
                part.uses(reference)
        self._tap_server.uses(reference.sha256)
        self._crew.engage((), self._settings, plans)
        self._show_models(reference)
        _log.info("listening with bundle %s %s", reference.name, reference.version)

    def _follow_models(self) -> None:
        """Somebody may have gone back to the last good bundle by `edge-agent models rollback`."""
        slot = None
        try:
            in_use = read_in_use(self._state_dir)
            if in_use is None or in_use.configured != self._settings.model.bundle:
                return
            slot = in_use.active
            if slot in (self._refused_slot, None) or slot.bundle == self._bundle.ref:
                return
            bundle = load_bundle(bundle_dir(self._state_dir, slot.bundle.sha256), probe=False)
            self._change_models(bundle, profiles_dir(self._state_dir, slot.profiles), lambda: None)
        except (BundleError, DetectionError) as error:
            if slot != self._refused_slot:
                self._refused_slot = slot
                _log.error("the bundle that the disk says is in use is not taken over: %s", error)
        else:
            if self._updates is not None:
                self._updates.desk.moved(bundle)

    def _show_models(self, bundle: BundleRef) -> None:
        self._metrics.model_loaded(name=bundle.name, version=bundle.version, sha256=bundle.sha256)
        self._health.bundle_verified(f"{bundle.name} {bundle.version}", self_test_passed=True)

    def _shut_down(self) -> None:
        self._notifier.stopping("handing over what was captured")
        self._tap_server.stop()
        self._engine.stopping()
        self._crew.stop(self._round)
        self._queue.close()
        with self._reporter.together():
            for event in self._engine.stop():
                self._window(event)
        self._control.stop()
        if self._clips is not None:
            self._clips.stop()
        self._alarms.close()
        self._trends.save()
        if self._uplink is not None:
            self._uplink.stop()
        if self._updates is not None:
            self._updates.stop()
        if self._hub is not None:
            self._hub.stop()
        self._frontage.stop()
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

    def _parts(self) -> AgentParts:
        """What the page asks; some of it is made after the port was taken."""
        return AgentParts(
            settings=lambda: self._settings,
            bundle=lambda: self._bundle,
            state_dir=self._state_dir,
            clock=self._clock,
            started_ns=self._started_ns,
            registry=self._registry,
            health=lambda: self._health.report(now_s=self._now_s()),
            ledgers=lambda: self._engine.ledgers(),  # noqa: PLW0108  # an engine of this moment
            taps=self._taps,
            frames=self._live_frames,
            store=self._store,
            alarms=lambda: self._alarms,
            commander=lambda: self._control.commander,
            uplink=lambda: self._uplink,
            sync=lambda: None if self._hub is None else self._hub.reading(),
            clips=lambda: self._clips,
            describe=_described,
        )

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S


def _described(profile: Profile) -> list[str]:
    from edge_agent.commands.profile_page import describe  # noqa: PLC0415  when somebody commissions from the page

    return describe(profile)


def _make_state_dir(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise CommandError(
            f"state directory {path} cannot be made ({error.strerror}); set agent.state_dir or mend its rights"
        ) from error
