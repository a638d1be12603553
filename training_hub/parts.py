"""What every part of the hub works with."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session

from training_hub.catalogue.database import Database
from training_hub.catalogue.group_commit import GroupCommit
from training_hub.config.settings import HubSettings
from training_hub.metrics import HubMetrics
from training_hub.storage.objects import ObjectStore


class JobQueue(Protocol):
    """Hands jobs to workers."""

    def enqueue(self, session: Session, kind: str, parameters: dict[str, object], *, by: str) -> str:
        """Write the job's row in the caller's transaction, and have a worker told once that is committed.

        Returns:
            The job's id.
        """


@dataclass(frozen=True)
class HubParts:
    """The hub's settings, database, store and queue.

    Attributes:
        settings: As loaded.
        database: Transactions.
        objects: Files by content.
        jobs: Work for workers.
        metrics: What `/metrics` shows; parts add theirs to `registry`, called `training_hub_...`.
    """

    settings: HubSettings
    database: Database
    objects: ObjectStore
    jobs: JobQueue
    metrics: HubMetrics = field(default_factory=HubMetrics)

    @cached_property
    def writes(self) -> GroupCommit:
        """For many small writes at once; see `GroupCommit`."""
        return GroupCommit(self.database)

    @property
    def registry(self) -> CollectorRegistry:
        """For metrics of further parts."""
        return self.metrics.registry

    @property
    def state_dir(self) -> Path:
        """Where the hub keeps what it keeps by itself."""
        return self.settings.server.state_dir
