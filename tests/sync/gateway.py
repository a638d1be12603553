"""A gateway's state directory with clips and a journal, and a sync that runs in the test's own thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np

from edge_agent.agent.clips.keeping import clips_dir
from edge_agent.agent.hub.sync import HubLine, HubSync, ReportParts, hub_address, open_journal, open_line, open_sync
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.encode import flac_bytes
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.config.agent import AgentSection
from edge_agent.config.clips import ClipsSection
from edge_agent.config.hub import HubSection
from edge_agent.config.settings import AgentSettings
from edge_agent.delivery.events import Data
from edge_agent.delivery.message import Message
from edge_agent.delivery.topics import Topics
from edge_agent.settings.secret import SecretFile
from edge_agent.sync.client import HubClient
from edge_agent.sync.figures import Figures
from edge_agent.sync.reports import GatewayIdentity
from edge_agent.sync.seams import NoUpdates, Updates
from tests.clips.samples import BUNDLE, ORIGIN, START_NS, ids, sidecar
from tests.delivery.samples import factory, result
from tests.support.contract_hub import KEY

NS_PER_S = 1_000_000_000
_FACTORY = factory(Topics("factory", ORIGIN.site, ORIGIN.gateway))


def key_file(directory: Path, key: str = KEY) -> SecretFile:
    path = directory / "hub_key"
    path.write_text(key)
    path.chmod(0o600)
    return SecretFile(str(path))


class Clock:
    """Time that goes when it is told to."""

    def __init__(self) -> None:
        self.s = 1000.0

    def now_s(self) -> float:
        return self.s

    def now_ns(self) -> int:
        return START_NS + round(self.s * NS_PER_S)


class Gateway:
    """State of one gateway in a directory; `open` may be called as often as an agent is started."""

    def __init__(self, directory: Path, url: str, *, key: str = KEY, **hub: object) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.state_dir = directory / "state"
        self.state_dir.mkdir(exist_ok=True)
        section: dict[str, object] = {"enabled": True, "url": url, "key_file": key_file(directory, key), **hub}
        self.settings = AgentSettings(
            hub=HubSection(**section),  # type: ignore[arg-type]  # tables of changes are untyped
            agent=AgentSection(site=ORIGIN.site, gateway=ORIGIN.gateway),
            clips=ClipsSection(speech="off", min_free_bytes=0),
        )
        self.clock = Clock()
        self.figures = Figures()
        self.store = ClipStore(clips_dir(self.state_dir), StoreLimits(min_free_bytes=0))
        self.journal = open_journal(self.settings, self.state_dir)
        self._ids: Iterator[str] = ids()
        self.line: HubLine | None = None

    def keep(
        self, number: int = 1, reason: Reason = Reason.UNCERTAIN, *, seconds: float = 0.5, **changes: object
    ) -> list[Sidecar]:
        """Keep so many clips of noise, each another."""
        kept = []
        for _ in range(number):
            clip_id = next(self._ids)
            samples = (
                np.random.default_rng(list(clip_id.encode()))
                .integers(-900, 900, round(16_000 * seconds))
                .astype(np.int16)
            )
            kept.append(self.store.put(sidecar(clip_id, reason, **changes), flac_bytes(samples)))
        return kept

    def publish(self, number: int = 1, data: Data | None = None) -> list[Message]:
        """So many events that the broker acknowledged."""
        messages = [_FACTORY.make(data or result("fan_1"), occurred_ns=START_NS) for _ in range(number)]
        for message in messages:
            self.journal.note(message, self.clock.now_ns())
        self.journal.flush()
        return messages

    def open(
        self,
        updates: Updates | None = None,
        *,
        reports: bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> HubSync:
        """As an agent would."""
        self.line = open_line(self.settings.hub, {}, now_s=self.clock.now_s)
        if transport is not None:
            client = HubClient(hub_address(self.settings.hub, {}), throttle=self.line.brake, transport=transport)
            self.line = HubLine(client, self.line.brake, self.line.books)
        identity = GatewayIdentity("plant", "gw", START_NS, lambda: BUNDLE, lambda: True)
        return open_sync(
            self.settings,
            self.state_dir,
            journal=self.journal,
            line=self.line,
            reports=ReportParts(identity, self.figures, updates or NoUpdates()) if reports else None,
            now_s=self.clock.now_s,
            now_ns=self.clock.now_ns,
            synced_ns=self.clock.now_ns,
        )

    def run(self, sync: HubSync, *, until_s: float = 60.0, until: Callable[[], bool] = lambda: False) -> None:
        """Let time go on by as much as the sync asks to wait."""
        stop_s = self.clock.s + until_s
        while self.clock.s < stop_s and not until():
            self.clock.s += max(sync.rounds.next(), 0.01)

    def synced(self) -> set[str]:
        return set(self.store.labels_at_hub())
