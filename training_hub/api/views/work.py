"""Jobs and trainings, as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from edge_agent.sync.wire import API_PREFIX
from training_hub.api.words import View
from training_hub.catalogue.tables import Job, Run

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


class JobView(View):
    """Work that takes longer than a request."""

    id: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    kind: Annotated[str, Field(examples=["retrain"])]
    parameters: dict[str, Any]
    state: Annotated[JobState, Field(examples=["running"])]
    progress: Annotated[float, Field(description="0 to 1.", examples=[0.42])]
    message: Annotated[str, Field(description="What it does now, or why it failed.", examples=["step 120 of 2700"])]
    cancel_asked: Annotated[bool, Field(description="Whether somebody asked that it ends.")]
    created_by: Annotated[str, Field(examples=["user:emil"])]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None


class JobPageView(View):
    """A page of jobs, the newest first."""

    jobs: list[JobView]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class RunView(View):
    """A training in a list."""

    id: Annotated[str, Field(examples=["01HF7YAT000000000000000000"])]
    job_id: str | None
    state: Annotated[JobState | None, Field(description="Of its job.", examples=["done"])]
    progress: Annotated[float | None, Field(description="Of its job, 0 to 1.")]
    what: Annotated[str, Field(description="`types`, `encoder`, `faults`, joined by `+`.", examples=["types+faults"])]
    base_sha256: Annotated[str, Field(description="The bundle it began with.")]
    gate_passed: Annotated[bool | None, Field(description="Null before it was judged.")]
    bundle_id: Annotated[str | None, Field(description="The bundle that came out.")]
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: Run, job: Job | None, bundle_id: str | None) -> "RunView":
        """Of its rows."""
        return cls(**run_values(run, job, bundle_id))


def run_values(run: Run, job: Job | None, bundle_id: str | None) -> dict[str, Any]:
    """The values of `RunView`'s fields."""
    passed = run.gate.get("passed") if run.gate is not None else None
    return {
        "id": run.id,
        "job_id": run.job_id,
        "state": None if job is None else job.state,
        "progress": None if job is None else job.progress,
        "what": run.what,
        "base_sha256": run.base_sha256,
        "gate_passed": passed if isinstance(passed, bool) else None,
        "bundle_id": bundle_id,
        "created_by": run.created_by,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


class RunPageView(View):
    """A page of trainings, the newest first."""

    runs: list[RunView]
    next: Annotated[str | None, Field(description="`after` of the next page; null on the last.")]


class PointView(View):
    """A number of a training at a step."""

    name: Annotated[str, Field(examples=["loss"])]
    step: Annotated[int, Field(examples=[120])]
    value: Annotated[float, Field(examples=[0.31])]


class RunDetail(RunView):
    """All of a training."""

    parameters: dict[str, Any]
    dataset: Annotated[dict[str, Any], Field(description="Clips by split, and their digest.")]
    metrics: dict[str, Any]
    gate: Annotated[dict[str, Any] | None, Field(description="Whether it may go out, why, and the worst machine.")]
    points: Annotated[list[PointView], Field(description="Curves, by name and step.")]
    report_url: Annotated[str | None, Field(description="The evaluation's report, HTML.")]

    @classmethod
    def with_all(cls, run: Run, job: Job | None, bundle_id: str | None, points: list[PointView]) -> "RunDetail":
        """Of its rows."""
        return cls(
            **run_values(run, job, bundle_id),
            parameters=run.parameters,
            dataset=run.dataset,
            metrics=run.metrics,
            gate=run.gate,
            points=points,
            report_url=f"{API_PREFIX}/runs/{run.id}/report" if run.report_sha256 is not None else None,
        )
