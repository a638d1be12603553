"""What the detection knows of an alarm: what explains it, and the episode that goes on after a restart."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from edge_agent.alarms.alarm import Alarm, AlarmKey, Kind
from edge_agent.alarms.states import State
from edge_agent.alarms.store import Heard as StoredEpisode
from edge_agent.alarms.store import Shown
from edge_agent.delivery.alarming import Evidence
from edge_agent.delivery.fields import WireModel
from edge_agent.delivery.reporting import anomaly_of, fault_type_of, input_findings
from edge_agent.delivery.result import Anomaly, FaultType, InputFinding, Trend
from edge_agent.detection.alarm import Episode
from edge_agent.pipeline.listener import Heard


def evidence_of(key: AlarmKey, former: Evidence, heard: Heard, trend: Trend | None) -> Evidence:
    """What a window says of an alarm; the clips of `former` stay, and the kind of fault until another window tells."""
    verdict = heard.verdict
    if verdict is None:
        return former
    anomaly = anomaly_of(verdict) if key.kind is Kind.ANOMALY else None
    fault_type = former.fault_type
    if key.kind is Kind.ANOMALY and heard.fault is not None:
        fault_type = fault_type_of(heard.fault)
    findings = input_findings(verdict)
    return replace(former, anomaly=anomaly, findings=findings, trend=trend, fault_type=fault_type)


def of_episode(episode: Episode) -> StoredEpisode:
    """An episode as it is kept."""
    return StoredEpisode(
        number=episode.number,
        first_anomalous_ns=episode.first_anomalous_ns,
        peak_score=episode.peak_score,
        peak_ns=episode.peak_ns,
        anomalous_windows=episode.anomalous_windows,
    )


def to_episode(stored: StoredEpisode, alarm: Alarm) -> Episode:
    """An episode that is still on, from what was kept."""
    return Episode(
        number=stored.number,
        raised_ns=alarm.raised_ns or stored.first_anomalous_ns,
        first_anomalous_ns=stored.first_anomalous_ns,
        ended_ns=None,
        peak_score=stored.peak_score,
        peak_ns=stored.peak_ns,
        anomalous_windows=stored.anomalous_windows,
    )


class _Explained(WireModel):
    """`Evidence` but for its clips, as it is kept."""

    anomaly: Anomaly | None
    findings: Annotated[tuple[InputFinding, ...], Field(max_length=32)]
    trend: Trend | None
    fault_type: FaultType | None


def shown_of(evidence: Evidence | None, alarm: Alarm) -> Shown | None:
    """What explains an alarm, as it is kept: its bands and trend while there is something to tell; None for nothing."""
    if evidence is None or evidence == Evidence():
        return None
    shown = Shown(clip=evidence.clip, before=evidence.before, after=evidence.after)
    if alarm.state is State.NORMAL:
        return None if shown == Shown() else shown
    explained = _Explained(
        anomaly=evidence.anomaly, findings=evidence.findings, trend=evidence.trend, fault_type=evidence.fault_type
    )
    return shown.model_copy(update={"explained": explained.model_dump_json()})


def shown_evidence(shown: Shown) -> Evidence:
    """What is known of an alarm after a restart."""
    evidence = Evidence(clip=shown.clip, before=shown.before, after=shown.after)
    try:
        told = _Explained.model_validate_json(shown.explained or "")
    except ValueError:
        return evidence  # of another version: the next odd window explains it
    return replace(evidence, anomaly=told.anomaly, findings=told.findings, trend=told.trend, fault_type=told.fault_type)
