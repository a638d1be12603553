"""New bundles, for a running agent: from its settings to the desk that follows the hub's instructions."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

import edge_agent
from edge_agent.agent.clips.keeping import clips_dir
from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.agent.hub.sync import hub_address
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import AUTO
from edge_agent.detection.errors import DetectionError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import profiles_dir
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.readings import UpdatesReading
from edge_agent.sync.client import tls_context
from edge_agent.sync.updates.desk import UpdateDesk
from edge_agent.sync.updates.errors import UpdateError
from edge_agent.sync.updates.fetcher import HubFetcher, Pace
from edge_agent.sync.updates.job import GoBack, SeenWindow, TakeOver
from edge_agent.sync.updates.shelf import Shelf
from edge_agent.sync.updates.trusted import MAX_ROOT_BYTES, TrustedRepository
from edge_agent.sync.wire import API_PREFIX

_log = logging.getLogger(__name__)


class Updates:
    """The desk, and what passes between it and the scorer's thread.

    Args:
        settings: Those of this moment; `hub.root_file` is set.
        environ: The environment, for the key.
        state_dir: Where the agent keeps its data.
        bundle: The models in use.
        left_at_start: How many bundles were left for it as the agent started.
        behind: Whether the scorer has more to do than it can.
        metrics: Watches all of it.

    Raises:
        SecretFileError: The gateway's key cannot be read.
        SyncError: A certificate cannot be used.
        BundleError: What is in use cannot be read.
    """

    def __init__(
        self,
        settings: Callable[[], AgentSettings],
        environ: Mapping[str, str],
        *,
        state_dir: Path,
        bundle: Bundle,
        left_at_start: int,
        behind: Callable[[], bool],
        metrics: Metrics,
    ) -> None:
        self._state_dir = state_dir
        self._hub = settings().hub
        address = hub_address(self._hub, environ)
        headers = {"User-Agent": f"edge-agent/{edge_agent.__version__}"}
        if address.key is not None:
            headers["Authorization"] = f"Bearer {address.key.get_secret_value()}"
        self._url = f"{address.url.rstrip('/')}{API_PREFIX}/tuf"
        self._client = httpx.Client(
            headers=headers,
            verify=tls_context(address) if address.url.startswith("https:") else True,
            timeout=httpx.Timeout(address.answer_timeout_s, connect=address.connect_timeout_s),
        )
        self.desk = UpdateDesk(
            state_dir,
            bundle,
            settings().model.bundle,
            open_repository=self._open_repository,
            machines=lambda: _listened_to(settings()),
            clips=clips_dir(state_dir),
            behind=behind,
        )
        metrics.watch_updates(lambda: updates_reading(self.desk, left_at_start=left_at_start))

    def start(self) -> None:
        """Begin."""
        self.desk.start()

    def stop(self) -> None:
        """End; what is under way begins anew at the next start."""
        self.desk.stop()
        self._client.close()

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        self.desk.window(seen_by_shadow(event) if self.desk.shadows else None, fault=bool(event.fault))

    def look_after(self, change: Callable[[Bundle, Path, Callable[[], None]], None]) -> None:
        """Do what is due.

        Args:
            change: Has the agent listen with a bundle and its profiles; it calls its third argument when nothing can
                fail any more.
        """
        due = self.desk.due()
        if isinstance(due, TakeOver):
            try:
                change(due.bundle, profiles_dir(self._state_dir, due.slot.profiles), lambda: self.desk.switch(due))
            except (DetectionError, BundleError, UpdateError) as error:
                self.desk.refused(due, str(error))
        elif isinstance(due, GoBack):
            self._go_back(due, change)

    def _go_back(self, due: GoBack, change: Callable[[Bundle, Path, Callable[[], None]], None]) -> None:
        try:
            last = self.desk.last_good()
            if last is None:
                self.desk.cannot_go_back("there is no last good bundle")
                return
            bundle, slot = last
            _log.warning("back to the last good bundle: %s", due.why)
            change(bundle, profiles_dir(self._state_dir, slot.profiles), lambda: self.desk.go_back(due, bundle))
        except (DetectionError, BundleError, UpdateError) as error:
            self.desk.cannot_go_back(str(error))

    def _open_repository(self) -> TrustedRepository:
        pace = Pace(most_bytes_per_s=self._hub.max_bytes_per_s or None)
        fetcher = HubFetcher(self._client, pace, stopped=lambda: self.desk.stopping)
        return TrustedRepository(Shelf(self._state_dir).tuf, _root(self._hub.root_file), self._url, fetcher)


def seen_by_shadow(event: WindowEvent) -> SeenWindow | None:
    """A window as the shadow compares it; None for one that says nothing of the machine."""
    verdict = None if event.heard is None else event.heard.verdict
    if event.heard is None or verdict is None or verdict.blocked or event.window.coverage < 1.0:
        return None
    return SeenWindow(
        event.heard.machine_id,
        event.window.features.log_mel_db.copy(),
        verdict.percentile,
        verdict.is_anomalous,
    )


def updates_reading(desk: UpdateDesk, *, left_at_start: int) -> UpdatesReading:
    """The desk's books in the words of the metrics."""
    books = desk.reading()
    return UpdatesReading(
        phase=books.phase,
        confirmed=books.confirmed,
        changes=(
            ("taken", books.taken),
            ("went_back", books.went_back),
            ("refused", books.refused),
            ("left_at_start", left_at_start),
        ),
        windows=(("scored", books.windows), ("failed", books.errors), ("shed", books.shed)),
        percentile_shift=books.percentile_shift,
        latency_ratio=books.latency_ratio,
    )


def _listened_to(settings: AgentSettings) -> frozenset[str]:
    return frozenset(
        channel.machine for source in settings.source for channel in source.channel if channel.machine != AUTO
    )


def _root(path: Path | None) -> bytes:
    if path is None:
        raise UpdateError("hub.root_file is not set: nothing from the hub can be trusted", lasting=False)
    try:
        with path.open("rb") as file:
            return file.read(MAX_ROOT_BYTES)
    except OSError as error:
        raise UpdateError(f"hub.root_file {path}: {error.strerror}", lasting=False) from error
