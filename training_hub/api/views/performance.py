"""How bundles do, as the API shows it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from training_hub.api.views.clips import MachineName
from training_hub.api.words import View
from training_hub.catalogue.performance import Confusion, Measured, confusion, histogram, roc_points

Share = Annotated[float | None, Field(description="0 to 1; null where a side has no clips.", examples=[0.97])]


class RocPoint(View):
    """What one threshold gives."""

    false_alarm_rate: Annotated[float, Field(examples=[0.05])]
    sensitivity: Annotated[float, Field(examples=[0.9])]


class HistogramView(View):
    """Clips by score."""

    edges: Annotated[list[float], Field(description="One more than there are bins.")]
    normal: list[int]
    anomalous: list[int]


class ConfusionView(View):
    """What a threshold gives on held-out clips."""

    threshold: float
    found: Annotated[int, Field(description="Anomalous clips at or above it.")]
    missed: Annotated[int, Field(description="Anomalous clips below it.")]
    false: Annotated[int, Field(description="Normal clips at or above it.")]
    right: Annotated[int, Field(description="Normal clips below it.")]
    sensitivity: Share
    false_alarm_rate: Share
    alarms_per_week: Annotated[
        float | None,
        Field(description="Expected false alarms a week, as the agent raises them; cautious where clips are few."),
    ]

    @classmethod
    def of(cls, found: Confusion | None) -> "ConfusionView | None":
        """Of what was counted."""
        return None if found is None else cls.model_validate(found)


class MachinePerformance(View):
    """One machine."""

    machine: MachineName
    normals: Annotated[int, Field(description="Held-out normal clips.", examples=[40])]
    anomalies: Annotated[int, Field(description="Anomalous clips.", examples=[18])]
    auc: Share
    pauc: Share
    false_alarms: Annotated[float | None, Field(description="Share of held-out normal windows above the threshold.")]
    dataset_digest: Annotated[str, Field(description="Of the clips it was measured on.")]
    measured_at: datetime
    roc: Annotated[list[RocPoint], Field(description="From the strictest threshold to the laxest.")]
    histogram: HistogramView
    confusion: Annotated[ConfusionView | None, Field(description="Null where there is no threshold to judge by.")]

    @classmethod
    def of(cls, one: Measured, *, threshold: float | None, sensitivity: float | None) -> "MachinePerformance":
        """Of what was measured."""
        edges, normal, anomalous = histogram(one)
        return cls(
            machine=MachineName.of(one.machine),
            normals=len(one.normal_scores),
            anomalies=len(one.anomalous_scores),
            auc=one.auc,
            pauc=one.pauc,
            false_alarms=one.false_alarms,
            dataset_digest=one.dataset_digest,
            measured_at=one.measured_at,
            roc=[RocPoint(false_alarm_rate=false, sensitivity=found) for false, found in roc_points(one)],
            histogram=HistogramView(edges=edges, normal=normal, anomalous=anomalous),
            confusion=ConfusionView.of(confusion(one, threshold=threshold, sensitivity=sensitivity)),
        )


class PerformanceView(View):
    """A bundle on every machine that it was measured on."""

    bundle_sha256: str
    mean_auc: Share
    worst: Annotated[MachineName | None, Field(description="The machine with the lowest AUC.")]
    machines: list[MachinePerformance]

    @classmethod
    def of(cls, sha256: str, machines: list[MachinePerformance]) -> "PerformanceView":
        """Of its machines."""
        judged = [(one.auc, one.machine) for one in machines if one.auc is not None]
        return cls(
            bundle_sha256=sha256,
            mean_auc=sum(value for value, _ in judged) / len(judged) if judged else None,
            worst=min(judged, key=lambda pair: pair[0])[1] if judged else None,
            machines=machines,
        )


class Figures(View):
    """The figures of one side."""

    auc: Share
    pauc: Share
    false_alarms: Share

    @classmethod
    def of(cls, one: Measured) -> "Figures":
        """Of what was measured."""
        return cls(auc=one.auc, pauc=one.pauc, false_alarms=one.false_alarms)


class MachineComparison(View):
    """One machine, heard by both bundles on the same clips."""

    machine: MachineName
    dataset_digest: str
    bundle: Figures
    other: Figures
    auc_points: Annotated[float | None, Field(description="AUC gained over the other, in points.", examples=[1.2])]
    false_alarms_ratio: Annotated[float | None, Field(description="False alarms over the other's.", examples=[0.8])]

    @classmethod
    def of(cls, one: Measured, other: Measured) -> "MachineComparison":
        """Of both."""
        ratio = None
        if one.false_alarms is not None and other.false_alarms:
            ratio = one.false_alarms / other.false_alarms
        gained = None if one.auc is None or other.auc is None else 100.0 * (one.auc - other.auc)
        return cls(
            machine=MachineName.of(one.machine),
            dataset_digest=one.dataset_digest,
            bundle=Figures.of(one),
            other=Figures.of(other),
            auc_points=gained,
            false_alarms_ratio=ratio,
        )


class ComparisonView(View):
    """Two bundles on the machines that both heard on the same clips."""

    bundle_sha256: str
    with_: Annotated[Literal["shipped", "current", "bundle"], Field(serialization_alias="with", examples=["shipped"])]
    with_sha256: str
    worst: Annotated[MachineComparison | None, Field(description="The machine that loses most AUC.")]
    machines: list[MachineComparison]
