"""The gateway's word to the hub every minute, and the hub's answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import edge_agent
from edge_agent.clips.sidecar import BundleName
from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.client import HubClient
from edge_agent.sync.figures import Figures
from edge_agent.sync.labels import LabelPost
from edge_agent.sync.seams import Updates
from edge_agent.sync.stats import SyncBooks
from edge_agent.sync.wire import GatewayReport, Instructions


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """Who reports.

    Attributes:
        site, gateway: Who.
        started_ns: Wall time of the agent's start.
        bundle: What is in use now.
        clock_synced: Whether the wall clock can be trusted now.
    """

    site: str
    gateway: str
    started_ns: int
    bundle: Callable[[], BundleName]
    clock_synced: Callable[[], bool]


class ReportDesk:
    """Writes reports and hands out what comes back. For one thread.

    Args:
        identity: Who reports.
        figures: What was heard since the last report that the hub took.
        waiting: Number and bytes of the clips that wait.
        updates: How far a new bundle is; told what the hub wants run.
        labels: Takes labels that were given at the hub; None: they stay there.
        client: The hub.
        books: What is counted.
        now_ns: Wall time.
    """

    def __init__(
        self,
        identity: GatewayIdentity,
        figures: Figures,
        client: HubClient,
        books: SyncBooks,
        *,
        waiting: Callable[[], tuple[int, int]],
        updates: Updates,
        labels: LabelPost | None,
        now_ns: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._figures = figures
        self._client = client
        self._books = books
        self._waiting = waiting
        self._updates = updates
        self._labels = labels
        self._now_ns = now_ns

    def report(self) -> Instructions:
        """Report once.

        Raises:
            HubError: Not now; the figures are told with the next one.
            ClipError, SyncError: The gateway's own disk refuses it.
        """
        identity, figures = self._identity, self._figures.now()
        clips, size_bytes = self._waiting()
        report = GatewayReport(
            site=identity.site,
            gateway=identity.gateway,
            agent_version=edge_agent.__version__,
            started_at=rfc3339(identity.started_ns),
            reported_at=rfc3339(self._now_ns()),
            clock_synced=identity.clock_synced(),
            bundle=identity.bundle(),
            clips_waiting=clips,
            clip_bytes_waiting=size_bytes,
            window_latency_s=figures.window_latency_s,
            window_computing_s=figures.window_computing_s,
            machines=figures.machines,
            update=self._updates.report(),
        )
        instructions = self._client.report(report)
        self._figures.told(figures)
        self._books.reports += 1
        self._updates.instructed(instructions)
        if self._labels is not None:
            self._labels.take(instructions.labels)
        return instructions
