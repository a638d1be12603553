"""`/performance`: how a bundle does on each machine, and beside another."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from edge_agent.delivery.fields import Sha256
from training_hub.api.access import Parts, Viewer
from training_hub.api.problems import problems
from training_hub.api.views.performance import ComparisonView, MachineComparison, MachinePerformance, PerformanceView
from training_hub.catalogue.performance import compared, measured

router = APIRouter(prefix="/performance", tags=["performance"], responses=problems(404))

BundleWanted = Annotated[Sha256 | None, Query(description="SHA-256 of the bundle; left out: the one in use.")]


@router.get("", summary="How a bundle does")
def performance(
    parts: Parts,
    _person: Viewer,
    request: Request,
    *,
    bundle: BundleWanted = None,
    threshold: Annotated[float | None, Query(ge=-1e9, le=1e9, description="Judge by this score.")] = None,
    sensitivity: Annotated[
        float | None, Query(gt=0, le=1, description="Judge by the score that finds this share of anomalies.")
    ] = None,
) -> PerformanceView:
    """Per machine AUC, partial AUC, ROC, scores, and what a threshold gives: misses, false alarms a week."""
    sha256 = bundle or request.app.state.sounds.bundles.ear().bundle.sha256
    with parts.database.transaction(writes=False) as session:
        found = measured(session, sha256)
    machines = [MachinePerformance.of(one, threshold=threshold, sensitivity=sensitivity) for one in found]
    return PerformanceView.of(sha256, machines)


@router.get("/compare", summary="A bundle beside another")
def compare(
    parts: Parts,
    _person: Viewer,
    request: Request,
    *,
    bundle: BundleWanted = None,
    with_: Annotated[
        Literal["shipped", "current"] | Sha256,
        Query(alias="with", description="The shipped bundle, the one in use, or any by its SHA-256."),
    ] = "shipped",
) -> ComparisonView:
    """Per machine what is gained and lost, on the same clips; the worst machine first named."""
    shelf = request.app.state.sounds.bundles
    sha256 = bundle or shelf.ear().bundle.sha256
    other = with_
    if with_ == "shipped":
        other = shelf.shipped().bundle.sha256
    elif with_ == "current":
        other = shelf.ear().bundle.sha256
    with parts.database.transaction(writes=False) as session:
        pairs = compared(session, sha256, other)
    machines = [MachineComparison.of(one, reference) for one, reference in pairs]
    judged = [one for one in machines if one.auc_points is not None]
    return ComparisonView(
        bundle_sha256=sha256,
        with_="shipped" if with_ == "shipped" else "current" if with_ == "current" else "bundle",
        with_sha256=other,
        worst=min(judged, key=lambda one: one.auc_points or 0.0) if judged else None,
        machines=machines,
    )
