"""What a job is given, and how it says how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from training_hub.parts import HubParts


class JobCancelledError(Exception):
    """Somebody asked that the job ends."""


class Progress(Protocol):
    """Tells the catalogue how far a job is."""

    def __call__(self, share: float, message: str) -> None:
        """Say it; `share` is 0 to 1.

        Raises:
            JobCancelledError: The job is to end; let it through.
        """


@dataclass(frozen=True)
class JobContext:
    """What a job works with.

    Attributes:
        job_id: Its row.
        created_by: The actor who asked for it.
        parts: The hub's settings, database and store.
        progress: To be called every few seconds.
    """

    job_id: str
    created_by: str
    parts: HubParts
    progress: Progress
