"""What an agent is built of."""

import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry

import edge_agent
from edge_agent.agent.alarming.desk import AlarmDesk
from edge_agent.agent.asking.control import Control
from edge_agent.agent.hearing.crew import Crew
from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.profiles import ProfileStore, ProfileWatch
from edge_agent.agent.telling.readings import ledger_readings, machine_readings
from edge_agent.agent.telling.reporter import Reporter
from edge_agent.agent.telling.sender import Sender
from edge_agent.agent.trends import Trends
from edge_agent.agent.wiring import (
    alarm_rules,
    condition_rules,
    home_assistant_letters,
    machines_of,
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
from edge_agent.config.settings import AgentSettings
from edge_agent.daemon.optional import open_clips, open_hub, open_updates, open_uplink
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.reporting import bundle_reference
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.detection.profile import Profile
from edge_agent.errors import CommandError
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.probe import ModelProbe
from edge_agent.observe.health import Health, HealthLimits
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.systemd import SystemdNotifier
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.channel import SampleTap
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import WindowShape
from edge_agent.sync.updates.boot import begin
from edge_agent.web.behind import AgentParts, behind
from edge_agent.web.frontage import Frontage
from edge_agent.web.live_frames import LiveFrames

_PAGE_BEHIND_BLOCKS = 64  # the page's moving spectrogram gives way before them
_LEAST_UNSCORED_S = 60.0  # where a source is faster than time, a round takes 256 blocks before it scores any


class Parts:
    """Every part of one agent, built from the settings and tied together; nothing runs yet.

    `settings`, `bundle` and `roster` are those of this moment: a takeover puts others in their places.

    Args:
        settings: The settings.
        environ: The environment, for secrets and systemd.
        reload: Asks for the configuration on disk.
        early: A probe of the configured bundle's model that was begun already.

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
        reload: Callable[[], None],
        early: ModelProbe | None = None,
    ) -> None:
        self.settings = settings
        self.environ = environ
        self.clock = SystemClock()
        self.notifier = SystemdNotifier.from_environment(environ, pid=os.getpid())
        self.state_dir = state_dir = settings.agent.resolve_state_dir(environ)

        self.store = ProfileStore(state_dir)
        self.bundle, self.roster = self._begin_with(settings, early)
        bundle = self.bundle
        reference = bundle_reference(bundle.ref)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.health = Health(HealthLimits(max_unscored_s=max(_LEAST_UNSCORED_S, 3 * settings.window.window_s)))
        self.started_ns = self.clock.wall_ns()
        self.metrics.started(
            version=edge_agent.__version__, python=platform.python_version(), wall_s=self.started_ns / NS_PER_S
        )
        self.show_models(reference)

        self.queue = BlockQueue()
        self.metrics.watch_queue("blocks", self.queue.__len__)
        self.live_frames = LiveFrames(
            behind=lambda: len(self.queue) > _PAGE_BEHIND_BLOCKS, on_shed=self.metrics.page_frames_shed
        )
        self.engine = Engine(
            Analyser(bundle.encoder(), keep_going=True),
            settings=bundle.manifest.signal,
            shape=WindowShape(settings.window.window_s, settings.window.hop_s),
            policy=ScorePolicy(settings.window.window_s, settings.window.min_coverage),
            sources=source_plans(settings, self.roster),
            clock=self.clock,
            on_stage=self.metrics.stage_took,
            tap=self._sample_tap,
            on_frames=self.live_frames.give,
        )
        self.metrics.watch_ledgers(lambda: ledger_readings(self.engine.ledgers()))

        topics = Topics(settings.mqtt.root_topic, settings.agent.site, settings.agent.gateway)
        ulids = UlidFactory(now_ms=lambda: self.clock.wall_ns() // 1_000_000, randomness=os.urandom)
        messages = MessageFactory(topics, ulids)
        self.show_machines()

        # The port is the first thing taken, the state directory the second: where either fails nothing is left behind.
        self.taps = Taps()
        self.frontage = Frontage(settings, environ, self.store, behind(self._behind_page()))
        _make_state_dir(state_dir)
        self.metrics.watch_disk(state_dir)

        self.updates = open_updates(self)
        self.hub = open_hub(self, reference)
        self.uplink = open_uplink(self, topics, messages, reference)
        sender = Sender(messages, self._way_out(), self.metrics)
        self.alarms = AlarmDesk(
            state_dir,
            rules=alarm_rules(settings),
            conditions=condition_rules(settings),
            gateway=settings.agent.gateway,
            machines=self.roster.machines,
            new_id=ulids,
            send=sender.send,
            metrics=self.metrics,
            clock=self.clock,
            held=lambda: sender.holds,
            longest_shelving_s=settings.alarms.longest_shelving_s,
        )
        for machine_id, episode in self.alarms.episodes().items():
            self.roster.resume(machine_id, episode)
        self.control = Control(
            settings,
            state_dir=state_dir,
            topics=topics,
            messages=messages,
            alarms=self.alarms,
            reload=reload,
            describe=lambda: home_assistant_letters(self.settings, topics),
            metrics=self.metrics,
            clock=self.clock,
        )
        if self.uplink is not None:
            self.uplink.listen(self.control.mailbox)
        self.trends = Trends(state_dir / "health.json", self.roster.commissioned)
        self.reporter = Reporter(
            sender=sender,
            alarms=self.alarms,
            metrics=self.metrics,
            health=self.health,
            bundle=reference,
            clock=self.clock,
            machines_of=machines_of(settings),
            trends=self.trends,
        )
        self.clips = open_clips(self, reference, ulids)
        self.crew = Crew(
            settings,
            queue=self.queue,
            engine=self.engine,
            clock=self.clock,
            health=self.health,
            metrics=self.metrics,
            reporter=self.reporter,
        )
        self.metrics.clock_synced(synced=self.clock.is_synced())
        self.profile_watch = ProfileWatch(self.store)
        self.tap_server = TapServer(
            socket_path(state_dir),
            self.taps,
            channel_of=self._channel_of,
            status_of=self._status_of,
            in_alarm=self.alarms.learning_frozen,
            bundle_sha256=reference.sha256,
            window_s=settings.window.window_s,
        )

    def now_s(self) -> float:
        """Monotonic time, seconds."""
        return self.clock.monotonic_ns() / NS_PER_S

    def show_models(self, bundle: BundleRef) -> None:
        """Metrics and health name the models in use."""
        self.metrics.model_loaded(name=bundle.name, version=bundle.version, sha256=bundle.sha256)
        self.health.bundle_verified(f"{bundle.name} {bundle.version}", self_test_passed=True)

    def show_machines(self) -> None:
        """Metrics name the machines of the configuration, and what was learnt of them."""
        self.metrics.machines(machine_readings(self.settings.machine, self.roster))

    def _begin_with(self, settings: AgentSettings, early: ModelProbe | None) -> tuple[Bundle, Roster]:
        """The bundle in use with its profiles; the last good one where those have a flaw."""
        fitting: list[Roster] = []

        def fit(bundle: Bundle) -> None:
            self.store.follow()
            fitting[:] = [roster(settings, bundle, self.store)]

        model = settings.model
        begun = begin(
            self.state_dir,
            model.bundle,
            lambda: load_bundle(model.configured_bundle(self.state_dir), early=early),
            fit,
        )
        self.left_at_start = begun.left
        return begun.bundle, fitting[0]

    def _way_out(self) -> Intake | None:
        """Where events go: to the broker, or where none is used to the hub alone."""
        if self.uplink is not None:
            return self.uplink.intake
        return None if self.hub is None else self.hub.intake

    def _sample_tap(self, source: str, channel: int, rate_hz: int) -> SampleTap | None:
        return None if self.clips is None else self.clips.tap(source, channel, rate_hz)

    def _channel_of(self, machine_id: str) -> tuple[str, int]:
        """Asked by commands that listen in, on threads of theirs."""
        source, index = channel_of(self.settings, machine_id)
        return source.id, index

    def _status_of(self, source_id: str) -> SourceStatus:
        try:
            report = self.health.component(source_id, now_s=self.now_s())
        except KeyError:  # a reload took it away
            return SourceStatus("down", "no longer in the configuration")
        return SourceStatus(report.state.value, report.detail)

    def _behind_page(self) -> AgentParts:
        """What the page asks; some of it is made after the port was taken."""
        return AgentParts(
            settings=lambda: self.settings,
            bundle=lambda: self.bundle,
            state_dir=self.state_dir,
            clock=self.clock,
            started_ns=self.started_ns,
            registry=self.registry,
            health=lambda: self.health.report(now_s=self.now_s()),
            ledgers=lambda: self.engine.ledgers(),  # noqa: PLW0108  # an engine of this moment
            taps=self.taps,
            frames=self.live_frames,
            store=self.store,
            alarms=lambda: self.alarms,
            commander=lambda: self.control.commander,
            uplink=lambda: self.uplink,
            sync=lambda: None if self.hub is None else self.hub.reading(),
            clips=lambda: self.clips,
            describe=_described,
        )


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
