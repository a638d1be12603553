"""A retraining's rows: the run as it goes, and at its end the bundle, its figures and its report, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.manifest import BundleRef
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.stored import store_object
from training_hub.catalogue.tables import Bundle as BundleRow
from training_hub.catalogue.tables import Performance, Run, RunPoint
from training_hub.catalogue.types import utc_now
from training_hub.parts import HubParts
from training_hub.retrain.errors import RetrainError
from training_hub.retrain.gate import Gate, figures
from training_hub.retrain.judging import Judged
from training_hub.retrain.request import RetrainRequest
from training_hub.retrain.splits import Division
from training_hub.rollout.adding import ARCHIVE_TYPE

_PAGE_TYPE = "text/html"


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that is written at the end.

    Attributes:
        bundle: The new bundle.
        base: What it was compared with.
        gate: What that came to.
        before, after: What was judged, by machine.
        machine_rows: The catalogue's number of each machine.
        division: Who taught and who judged.
        metrics: Of the run.
        page: The evaluation's page, where there is one.
        card: The model card's text.
    """

    bundle: Bundle
    base: BundleRef
    gate: Gate
    before: Sequence[Judged]
    after: Sequence[Judged]
    machine_rows: Mapping[str, int]
    division: Division
    metrics: Mapping[str, object]
    page: bytes | None
    card: str


def begin_run(parts: HubParts, run_id: str, request: RetrainRequest, base: BundleRef, by: str) -> None:
    """Write the run's row, once; a job that is begun again goes on with it."""
    with parts.database.transaction() as session:
        if session.get(Run, run_id) is None:
            session.add(
                Run(
                    id=run_id,
                    job_id=run_id,
                    what=request.word,
                    base_sha256=base.sha256,
                    parameters=request.model_dump(mode="json"),
                    created_by=by,
                )
            )


def add_points(parts: HubParts, run_id: str, points: Sequence[tuple[str, int, float]]) -> None:
    """Write figures of a run: name, step, value; those of a step that is done again replace the former."""
    with parts.database.transaction() as session:
        for name, step, value in points:
            session.merge(RunPoint(run_id=run_id, name=name, step=step, value=value))


def next_version(parts: HubParts, name: str, base: str) -> str:
    """The first free version after the base's: its last number counted up."""
    major, minor, patch = (int(part) for part in base.split("."))
    with parts.database.transaction(writes=False) as session:
        taken = set(session.scalars(select(BundleRow.version).where(BundleRow.name == name)))
    patch += 1
    while f"{major}.{minor}.{patch}" in taken:
        patch += 1
    return f"{major}.{minor}.{patch}"


def finished(parts: HubParts, run_id: str) -> dict[str, object] | None:
    """The result of a run that was written down whole, for a job that was begun again after that."""
    with parts.database.transaction(writes=False) as session:
        row = session.scalar(select(BundleRow).where(BundleRow.run_id == run_id))
        run = session.get(Run, run_id)
        return None if row is None or run is None else _result(row, run)


def finish_run(parts: HubParts, run_id: str, outcome: Outcome, by: str) -> dict[str, object]:
    """Write everything down.

    Returns:
        The job's result.

    Raises:
        RetrainError: A bundle of this name and version came in meanwhile.
        StorageError: The store refused something.
    """
    archive = pack_bundle(outcome.bundle)
    ref, now = outcome.bundle.ref, utc_now()
    with parts.database.transaction() as session:
        same = select(func.count()).where(BundleRow.name == ref.name, BundleRow.version == ref.version)
        if session.scalar(same):
            raise RetrainError(f"there is a bundle {ref.name} {ref.version} already; retrain with another version")
        run = session.get(Run, run_id)
        assert run is not None  # begun at the start of the job
        row = BundleRow(
            id=run_id,
            name=ref.name,
            version=ref.version,
            sha256=ref.sha256,
            object_sha256=store_object(session, parts.objects, archive, ARCHIVE_TYPE),
            state="draft" if outcome.gate.passed else "refused",
            run_id=run_id,
            created_by=by,
            model_card=outcome.card,
        )
        session.add(row)
        run.gate = outcome.gate.model_dump(mode="json")
        run.metrics = dict(outcome.metrics)
        run.dataset = {"digest": outcome.division.digest, "seed": outcome.division.seed, **outcome.division.sides()}
        run.report_sha256 = (
            None if outcome.page is None else store_object(session, parts.objects, outcome.page, _PAGE_TYPE)
        )
        run.finished_at = now
        for sha256, judged_all in ((outcome.base.sha256, outcome.before), (ref.sha256, outcome.after)):
            for judged in judged_all:
                session.merge(
                    performance_of(judged, sha256, outcome.machine_rows[judged.machine], outcome.division.digest)
                )
        detail: dict[str, object] = {"bundle": f"{ref.name} {ref.version}", "passed": outcome.gate.passed}
        Deed(actor=by, at=now).record(session, "bundle.retrain", f"bundle:{row.id}", detail)
        return _result(row, run)


def performance_of(judged: Judged, bundle_sha256: str, machine_row: int, digest: str) -> Performance:
    """The row of one machine."""
    found = figures(judged)
    normal = [item for item in judged.scores if not item.anomalous]
    anomalous = [item for item in judged.scores if item.anomalous]
    return Performance(
        bundle_sha256=bundle_sha256,
        machine_id=machine_row,
        dataset_digest=digest,
        normals=len(normal),
        anomalies=len(anomalous),
        auc=found.auc,
        pauc=found.pauc,
        false_alarms=found.false_alarms,
        detail={
            "normal_scores": [round(item.score, 4) for item in normal],
            "anomalous_scores": [round(item.score, 4) for item in anomalous],
            "threshold": judged.threshold,
            "clips": [item.clip_id for item in (*normal, *anomalous)],
            "nominal": found.nominal,
            "refused": judged.refused,
        },
    )


def _result(row: BundleRow, run: Run) -> dict[str, object]:
    gate = run.gate or {}
    return {
        "run": run.id,
        "bundle": row.id,
        "name": row.name,
        "version": row.version,
        "sha256": row.sha256,
        "state": row.state,
        "passed": gate.get("passed"),
        "worst": gate.get("worst"),
        "why": gate.get("why"),
    }
