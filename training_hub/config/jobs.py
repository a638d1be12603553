"""`[jobs]`: work that takes longer than a request."""

from typing import Literal

from pydantic import Field

from edge_agent.settings.base import Section


class JobsSection(Section):
    """Who does the work that takes longer than a request."""

    backend: Literal["auto", "huey", "procrastinate"] = Field(
        default="auto", description="How workers are told: huey beside SQLite, procrastinate in PostgreSQL."
    )
    embedded_workers: int = Field(
        default=1, ge=0, le=64, description="Jobs at a time in `serve` itself; 0 where `training-hub worker` runs."
    )
    workers: int = Field(default=1, ge=1, le=64, description="Jobs at a time in `training-hub worker`.")
    poll_s: float = Field(default=1.0, ge=0.05, le=60, description="How often a worker looks for new jobs, seconds.")
    beat_s: float = Field(default=5.0, ge=0.05, le=60, description="How often a worker says that it lives, seconds.")
    silent_for_s: float = Field(
        default=60.0,
        ge=0.2,
        le=3600,
        description="A job whose worker said nothing for so long is queued again, seconds.",
    )
    cancel_grace_s: float = Field(
        default=15.0, ge=0, le=600, description="How long a cancelled job may take to end before it is killed, seconds."
    )
    most_attempts: int = Field(default=3, ge=1, le=20, description="How often a job may be begun.")
