"""How bundles do on machines: what is measured, and what a threshold would give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.detection.budget import AlarmBudget
from training_hub.catalogue.errors import CatalogueError
from training_hub.catalogue.tables import Machine, Performance
from training_hub.evaluation.metrics import roc

FloatArray = NDArray[np.float64]

_MOST_POINTS = 200
_BINS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One bundle on one machine, on held-out clips.

    Attributes:
        machine: The row.
        dataset_digest: Of the clips it was measured on; figures of others cannot be compared.
        auc, pauc, false_alarms: 0 to 1; None where a side has no clips.
        normal_scores, anomalous_scores: Of every clip.
        threshold: That commissioning set; None where nobody wrote it.
        measured_at: When.
    """

    machine: Machine
    dataset_digest: str
    auc: float | None
    pauc: float | None
    false_alarms: float | None
    normal_scores: FloatArray
    anomalous_scores: FloatArray
    threshold: float | None
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class Confusion:
    """What a threshold gives.

    Attributes:
        threshold: A score at or above it is anomalous.
        found, missed: Anomalous clips above and below it.
        false, right: Normal clips above and below it.
        sensitivity: Share of anomalies found; None without any.
        false_alarm_rate: Share of normal clips above it; None without any.
        alarms_per_week: Expected false alarms of the machine, as the agent raises them (some windows of some in a row);
            from a rate that counts one exceedance more than was seen, for few clips promise little.
    """

    threshold: float
    found: int
    missed: int
    false: int
    right: int
    sensitivity: float | None
    false_alarm_rate: float | None
    alarms_per_week: float | None


def measured(session: Session, bundle_sha256: str, *, dataset_digest: str | None = None) -> list[Measured]:
    """A bundle's figures, the last ones of each machine, by site and name.

    Args:
        session: A transaction.
        bundle_sha256: Which bundle.
        dataset_digest: Only those measured on these clips.
    """
    query = (
        select(Performance, Machine)
        .join(Machine, Performance.machine_id == Machine.id)
        .where(Performance.bundle_sha256 == bundle_sha256)
        .order_by(Performance.measured_at)
    )
    if dataset_digest is not None:
        query = query.where(Performance.dataset_digest == dataset_digest)
    last = {machine.id: _measured(row, machine) for row, machine in session.execute(query)}
    return sorted(last.values(), key=lambda one: (one.machine.site, one.machine.name))


def compared(session: Session, bundle_sha256: str, with_sha256: str) -> list[tuple[Measured, Measured]]:
    """Two bundles on the machines that both were measured on with the same clips, the last such ones."""
    wanted = (bundle_sha256, with_sha256)
    query = (
        select(Performance, Machine)
        .join(Machine, Performance.machine_id == Machine.id)
        .where(Performance.bundle_sha256.in_(wanted))
        .order_by(Performance.measured_at)
    )
    found: dict[tuple[int, str], dict[str, Measured]] = {}
    for row, machine in session.execute(query):
        found.setdefault((machine.id, row.dataset_digest), {})[row.bundle_sha256] = _measured(row, machine)
    last: dict[int, tuple[Measured, Measured]] = {}
    for (machine_id, _), both in found.items():
        if len(both) == len(set(wanted)):
            pair = (both[bundle_sha256], both[with_sha256])
            if machine_id not in last or pair[0].measured_at >= last[machine_id][0].measured_at:
                last[machine_id] = pair
    return sorted(last.values(), key=lambda pair: (pair[0].machine.site, pair[0].machine.name))


def confusion(one: Measured, *, threshold: float | None = None, sensitivity: float | None = None) -> Confusion | None:
    """What a threshold gives: the one named, the highest that finds a share of anomalies, or commissioning's own.

    Returns:
        None where there is no threshold to judge by.

    Raises:
        CatalogueError: Both are given.
    """
    if threshold is not None and sensitivity is not None:
        raise CatalogueError("give either a threshold or a sensitivity")
    if sensitivity is not None:
        if not len(one.anomalous_scores):
            return None
        rank = max(1, int(np.ceil(sensitivity * len(one.anomalous_scores) - 1e-9)))
        threshold = float(np.sort(one.anomalous_scores)[-rank])
    elif threshold is None:
        threshold = one.threshold
    if threshold is None:
        return None
    found, false = int((one.anomalous_scores >= threshold).sum()), int((one.normal_scores >= threshold).sum())
    anomalies, normals = len(one.anomalous_scores), len(one.normal_scores)
    weekly = None
    if normals:
        weekly = AlarmBudget().alarms_per_week(min((false + 1) / (normals + 1), 0.999), 0.0)
    return Confusion(
        threshold=threshold,
        found=found,
        missed=anomalies - found,
        false=false,
        right=normals - false,
        sensitivity=found / anomalies if anomalies else None,
        false_alarm_rate=false / normals if normals else None,
        alarms_per_week=weekly,
    )


def roc_points(one: Measured) -> list[tuple[float, float]]:
    """False alarms against anomalies found, at most `_MOST_POINTS`; none where a side has no clips."""
    if not len(one.normal_scores) or not len(one.anomalous_scores):
        return []
    scores = np.concatenate([one.normal_scores, one.anomalous_scores])
    anomalous = np.concatenate([np.zeros(len(one.normal_scores), bool), np.ones(len(one.anomalous_scores), bool)])
    false, found = roc(anomalous, scores)
    step = np.unique(np.linspace(0, len(false) - 1, min(_MOST_POINTS, len(false))).astype(int))
    return [(float(false[i]), float(found[i])) for i in step]


def histogram(one: Measured) -> tuple[list[float], list[int], list[int]]:
    """Edges of `_BINS` bins, and how many normal and anomalous clips fall into each; nothing without clips."""
    scores = np.concatenate([one.normal_scores, one.anomalous_scores])
    if not len(scores):
        return [], [], []
    low, high = float(scores.min()), float(scores.max())
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    normal, anomalous = (np.histogram(part, edges)[0] for part in (one.normal_scores, one.anomalous_scores))
    return edges.tolist(), normal.tolist(), anomalous.tolist()


def _measured(row: Performance, machine: Machine) -> Measured:
    threshold = row.detail.get("threshold")
    known = isinstance(threshold, int | float) and np.isfinite(threshold)
    return Measured(
        machine=machine,
        dataset_digest=row.dataset_digest,
        auc=row.auc,
        pauc=row.pauc,
        false_alarms=row.false_alarms,
        normal_scores=_scores(row.detail, "normal_scores"),
        anomalous_scores=_scores(row.detail, "anomalous_scores"),
        threshold=float(threshold) if known else None,  # type: ignore[arg-type]  # told by `known`
        measured_at=row.measured_at,
    )


def _scores(detail: Mapping[str, Any], name: str) -> FloatArray:
    found: Sequence[Any] = detail.get(name) or ()
    return np.array([value for value in found if isinstance(value, int | float) and np.isfinite(value)], np.float64)
