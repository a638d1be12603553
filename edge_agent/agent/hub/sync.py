"""Puts the sync together from the settings: for the agent, which has a thread for it, and for `edge-agent sync`."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.agent.clips.keeping import clips_dir, speech_screen, store_limits
from edge_agent.clips.store import ClipStore
from edge_agent.clips.upload import UploadScreen
from edge_agent.config.hub import HubSection
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.ulid import UlidFactory
from edge_agent.sync.airgap.export import KEY_NAME, Exporter
from edge_agent.sync.airgap.signing import open_key
from edge_agent.sync.client import HubAddress, HubClient
from edge_agent.sync.figures import Figures
from edge_agent.sync.journal import FILE_NAME, JournalLimits, SentJournal
from edge_agent.sync.labels import LabelPost
from edge_agent.sync.loop import Brake
from edge_agent.sync.marks import SyncMarks
from edge_agent.sync.outbound import ClipUploader, ReadyClips, UploadJudge
from edge_agent.sync.pace import Backoff, Hours
from edge_agent.sync.reconcile import EventReconciler
from edge_agent.sync.reports import GatewayIdentity, ReportDesk
from edge_agent.sync.rounds import NoListener, SyncListener, SyncRounds
from edge_agent.sync.seams import NoUpdates, Updates
from edge_agent.sync.stats import SyncBooks

LOCK_NAME = "sync.lock"


def hub_address(hub: HubSection, environ: Mapping[str, str]) -> HubAddress:
    """Where the hub is and who asks.

    Raises:
        SecretFileError: The key cannot be read.
    """
    return HubAddress(
        url=hub.url,
        key=None if hub.key_file is None else hub.key_file.read(environ),
        ca_file=hub.tls.ca_file,
        cert_file=hub.tls.cert_file,
        key_file=hub.tls.key_file,
        connect_timeout_s=hub.connect_timeout_s,
        answer_timeout_s=hub.answer_timeout_s,
    )


def journal_limits(hub: HubSection) -> JournalLimits:
    """How much of what was sent is kept."""
    journal = hub.journal
    return JournalLimits(journal.max_bytes, journal.keep_days, journal.keep_alarms_days)


def open_journal(settings: AgentSettings, state_dir: Path) -> SentJournal:
    """The events that the broker acknowledged.

    Raises:
        SyncError: The disk refuses it.
    """
    return SentJournal(state_dir, journal_limits(settings.hub))


def upload_judge(settings: AgentSettings) -> tuple[UploadJudge, str]:
    """The screen of today for clips that are to leave, and a name of it that changes where it may judge otherwise.

    Raises:
        SpeechError: The detector cannot be used.
    """
    screen = speech_screen(settings)
    return UploadScreen(screen), f"{screen.policy.value}:{screen.detector_sha256 or ''}"


@dataclass(frozen=True, slots=True)
class ReportParts:
    """What reports are made of; a command has none.

    Attributes:
        identity: Who reports.
        figures: What was heard.
        updates: Bundles that come down.
    """

    identity: GatewayIdentity
    figures: Figures
    updates: Updates = field(default_factory=NoUpdates)


@dataclass(frozen=True, slots=True)
class HubLine:
    """The way to the hub.

    Attributes:
        client: Speaks to it.
        brake: Keeps to the bandwidth, and ends what is under way.
        books: What was counted.
    """

    client: HubClient
    brake: Brake
    books: SyncBooks


def open_line(hub: HubSection, environ: Mapping[str, str], *, now_s: Callable[[], float] = time.monotonic) -> HubLine:
    """The way to the hub; it is not asked anything yet.

    Args:
        hub: The settings.
        environ: The environment, for the key.
        now_s: Monotonic time.

    Raises:
        SecretFileError: The key cannot be read.
        SyncError: A certificate cannot be used.
    """
    brake = Brake(hub.max_bytes_per_s, now_s=now_s)
    return HubLine(HubClient(hub_address(hub, environ), throttle=brake), brake, SyncBooks())


@dataclass(frozen=True, slots=True)
class HubSync:
    """The parts of a sync.

    Attributes:
        marks, store, ready: What they are called; store and ready are None where no clips are kept.
        rounds: Works with them.
    """

    marks: SyncMarks
    store: ClipStore | None
    ready: ReadyClips | None
    rounds: SyncRounds

    def waiting(self) -> tuple[int, int]:
        """Number and bytes of the clips that are to be sent."""
        return (0, 0) if self.ready is None else self.ready.waiting()

    def close(self) -> None:
        """Free the files; journal and line are their owner's to close."""
        self.marks.close()
        if self.store is not None:
            self.store.close()


def open_sync(
    settings: AgentSettings,
    state_dir: Path,
    *,
    journal: SentJournal | None,
    line: HubLine,
    reports: ReportParts | None = None,
    listener: SyncListener | None = None,
    now_s: Callable[[], float] = time.monotonic,
    now_ns: Callable[[], int] = time.time_ns,
    synced_ns: Callable[[], int | None] = time.time_ns,
    at_any_time: bool = False,
) -> HubSync:
    """Everything between this gateway and its hub.

    Args:
        settings: The settings.
        state_dir: Where the agent keeps its data.
        journal: The events that the broker acknowledged; None where none are published.
        line: The way to the hub.
        reports: What reports are made of; None: somebody else reports.
        listener: Told how it goes.
        now_s: Monotonic time.
        now_ns: Wall time.
        synced_ns: Wall time while it can be trusted.
        at_any_time: Whether the hours of the schedule do not count.

    Raises:
        ClipError: The clips cannot be opened.
    """
    hub, client, books = settings.hub, line.client, line.books
    marks = SyncMarks(state_dir)
    store = ready = uploader = labels = events = desk = None
    by_network = hub.transport == "network"
    if settings.clips.enabled:
        store = ClipStore(clips_dir(state_dir), store_limits(settings))
        ready = ReadyClips(store, marks, lambda: upload_judge(settings), now_ns=now_ns)
        between = None if at_any_time else hub.schedule.between
        uploader = ClipUploader(
            ready,
            store,
            marks,
            client,
            books,
            lock=state_dir / LOCK_NAME,
            hours=None if between is None else Hours.parse(between),
            urgent_any_time=hub.schedule.alarms_any_time,
            now_ns=now_ns,
            now_s=now_s,
        )
        labels = None if hub.labels == "off" or not by_network else LabelPost(store, marks, client, books)
    if by_network and journal is not None:
        settle_s = hub.journal.settle_s if settings.mqtt.enabled else 0.0  # nothing else brings them
        events = EventReconciler(journal, client, books, settle_s=settle_s, now_ns=now_ns)
    if by_network and reports is not None:
        desk = ReportDesk(
            reports.identity,
            reports.figures,
            client,
            books,
            waiting=(lambda: (0, 0)) if ready is None else ready.waiting,
            updates=reports.updates,
            labels=labels if hub.labels == "both" else None,
            now_ns=now_ns,
        )
    rounds = SyncRounds(
        books,
        Backoff(max_s=hub.backoff_max_s),
        clips=uploader if by_network else None,
        events=events,
        labels=labels,
        reports=desk,
        journal=journal,
        listener=listener or NoListener(),
        report_s=hub.report_s,
        now_s=now_s,
        wall_s=lambda: now_ns() / 1e9,
        synced_ns=synced_ns,
        jitter=random.random,
    )
    return HubSync(marks, store, ready, rounds)


def make_exporter(settings: AgentSettings, state_dir: Path, sync: HubSync, journal: SentJournal | None) -> Exporter:
    """Writes this gateway's clips and events on a stick.

    Raises:
        SyncError: The gateway's key cannot be read or made.
    """
    return Exporter(
        settings.agent.site,
        settings.agent.gateway,
        open_key(state_dir / KEY_NAME),
        store=sync.store,
        ready=sync.ready,
        journal=journal,
        new_id=UlidFactory.of_this_computer(),
        now_ns=time.time_ns,
    )


def has_journal(state_dir: Path) -> bool:
    """Whether an agent kept a journal here."""
    return (state_dir / FILE_NAME).exists()
