"""The hub, for a running agent: a thread of its own, what it tells of the machines, and its books."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hearing.sources import timely_machines
from edge_agent.agent.hub.sync import HubSync, ReportParts, open_journal, open_line, open_sync
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.clips.errors import ClipError
from edge_agent.clips.sidecar import BundleName
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import AUTO
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import Message
from edge_agent.delivery.result import BundleRef
from edge_agent.observe.health import Health, Kind
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.readings import SyncReading
from edge_agent.sync.errors import SyncError, Trouble
from edge_agent.sync.figures import Figures
from edge_agent.sync.journal import JournalStats
from edge_agent.sync.loop import SyncThread
from edge_agent.sync.marks import Aside
from edge_agent.sync.reports import GatewayIdentity
from edge_agent.sync.rounds import SyncRounds
from edge_agent.sync.seams import NoUpdates, Updates

SINK = "hub"


class HubLink:
    """Everything about the hub that a running agent has.

    Args:
        settings: The settings; `hub.enabled` is true.
        environ: The environment, for the key.
        state_dir: Where the agent keeps its data.
        started_ns: Wall time of the agent's start.
        bundle: The models in use.
        clock: Time.
        computing_s: Processor time that windows have taken so far, asked on the thread that tells of them.
        metrics: Watches all of it.
        health: Told whether the hub answers.
        updates: Bundles that come down.

    Raises:
        SecretFileError: The key cannot be read.
        SyncError: A certificate cannot be used.
    """

    def __init__(
        self,
        settings: AgentSettings,
        environ: Mapping[str, str],
        *,
        state_dir: Path,
        started_ns: int,
        bundle: BundleRef,
        clock: SystemClock,
        computing_s: Callable[[], float],
        metrics: Metrics,
        health: Health,
        updates: Updates | None = None,
    ) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._clock = clock
        self._health = health
        self._figures = Figures()
        self._computing_s = computing_s
        self._computed_s = computing_s()
        self.uses(bundle)
        self._updates = updates or NoUpdates()
        self._line = open_line(settings.hub, environ, now_s=self._now_s)
        self._journal = open_journal(settings, state_dir)
        self.intake = None if settings.mqtt.enabled else Intake(self, lambda: None)
        """The way for events where no broker is used: into the journal, and from there to the hub."""
        self._sync: HubSync | None = None
        self._identity = GatewayIdentity(
            site=settings.agent.site,
            gateway=settings.agent.gateway,
            started_ns=started_ns,
            bundle=lambda: self._bundle,
            clock_synced=clock.is_synced,
        )
        self.hears(settings)
        self._thread = SyncThread(self._open, self._line.brake, self.hindered)
        self._by_network = settings.hub.transport == "network"
        if self._by_network:
            health.register(SINK, Kind.SINK, now_s=self._now_s())
        metrics.watch_sync(self.reading)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way goes on at the next start. Call it once nothing is published any more."""
        if self._thread.stop():
            self._line.client.close()
            if self._sync is not None:
                self._sync.close()
        self._journal.close()

    def uses(self, bundle: BundleRef) -> None:
        """The models in use, from now on; what windows took with the others no longer counts."""
        self._bundle = BundleName(name=bundle.name, version=bundle.version, sha256=bundle.sha256)
        self._figures.anew()

    def hears(self, settings: AgentSettings) -> None:
        """The machines from now on."""
        self._types = {machine.id: machine.type for machine in settings.machine}
        self._heard = {
            (each.id, channel.index): channel.machine for each in settings.source for channel in each.channel
        }
        self._timely = timely_machines(settings)

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        computed_s = self._computing_s()
        self._figures.computed(computed_s - self._computed_s)
        self._computed_s = computed_s
        heard = event.heard
        machine = self._heard.get((event.source_id, event.channel), AUTO) if heard is None else heard.machine_id
        if machine == AUTO or (heard is None and not event.fault):
            return
        verdict = None if heard is None else heard.verdict
        late_s = (self._clock.wall_ns() - event.end_ns) / NS_PER_S
        self._figures.window(
            machine,
            self._types.get(machine, "generic"),
            percentile=None if verdict is None else verdict.percentile,
            anomalous=verdict is not None and verdict.is_anomalous,
            failed=heard is None,
            latency_s=late_s if heard is not None and machine in self._timely else None,
        )

    def acknowledged(self, message: Message) -> None:
        """The broker acknowledged an event; on the publisher's thread."""
        self._journal.note(message, self._clock.wall_ns() if self._clock.is_synced() else None)

    def before_forgotten(self) -> None:
        """The outbox is about to forget what was acknowledged; on the publisher's thread."""
        self._journal.flush()

    def put(self, message: Message) -> None:
        """Keep an event for the hub, where no broker is used."""
        self.put_all((message,))

    def put_all(self, messages: Sequence[Message]) -> None:
        """Keep events for the hub; what the disk refuses the journal holds, and counts."""
        for message in messages:
            self.acknowledged(message)
        self._journal.flush()

    def look_after(self) -> None:
        """A sign of life while the hub answers and nothing is due."""
        if self._line.books.last_success_s and self._line.books.trouble is None:
            self.reached()

    def reading(self) -> SyncReading:
        """The books now; what the disk does not tell is left at 0."""
        books = self._line.books
        waiting, aside = (0, 0), dict.fromkeys(Aside, 0)
        journal = JournalStats(0, 0, 0, 0, (), 0)
        try:
            if self._sync is not None:
                waiting = self._sync.waiting()
                for each in self._sync.marks.aside():
                    aside[each.reason] += 1
            journal = self._journal.stats()
        except (ClipError, SyncError) as error:
            self.hindered(str(error))
        return SyncReading(
            answers=books.trouble is None and books.last_success_s > 0,
            trouble=books.said,
            clips=books.clips,
            files=books.files,
            sent_bytes=books.sent_bytes,
            labels_sent=books.records,
            labels_taken=books.labels_taken,
            reports=books.reports,
            failures=tuple(books.failures.items()),
            last_success_s=books.last_success_s,
            waiting=waiting[0],
            waiting_bytes=waiting[1],
            aside=tuple((reason.value, number) for reason, number in aside.items()),
            events_there=books.events_there,
            events_sent=books.events_sent,
            events_refused=books.events_refused,
            events_waiting=journal.waiting,
            journal_bytes=journal.size_bytes,
            journal_held=journal.held,
            journal_lost=journal.lost,
        )

    # The sync's listener, on its thread.

    def reached(self) -> None:
        """The hub answers."""
        self._health.beat(SINK, now_s=self._now_s())

    def failed(self, trouble: Trouble, what: str) -> None:
        """It does not."""
        self._health.down(SINK, what)

    def hindered(self, what: str) -> None:
        """The gateway's own disk or detector stands in the way."""
        if not self._by_network:
            return
        if what:
            self._health.degraded(SINK, what)
        else:
            self._health.recovered(SINK)

    def _open(self) -> SyncRounds:
        self._sync = open_sync(
            self._settings,
            self._state_dir,
            journal=self._journal,
            line=self._line,
            reports=ReportParts(self._identity, self._figures, self._updates),
            listener=self,
            now_s=self._now_s,
            now_ns=self._clock.wall_ns,
            synced_ns=lambda: self._clock.wall_ns() if self._clock.is_synced() else None,
        )
        return self._sync.rounds

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / NS_PER_S
