"""What the detection knows of an alarm: what explains it, and the episode that goes on after a restart."""

from dataclasses import replace

from edge_agent.alarms.alarm import Alarm, AlarmKey, Kind
from edge_agent.alarms.store import Heard as StoredEpisode
from edge_agent.alarms.store import Shown, StoredAlarm
from edge_agent.delivery.alarming import Evidence
from edge_agent.delivery.reporting import anomaly_of, fault_type_of, input_findings
from edge_agent.delivery.result import Trend
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


def shown_of(evidence: Evidence | None) -> Shown | None:
    """The clips that show an alarm, as they are kept; None where there are none."""
    if evidence is None or not (evidence.clip or evidence.before or evidence.after):
        return None
    return Shown(clip=evidence.clip, before=evidence.before, after=evidence.after)


def shown_evidence(stored: StoredAlarm) -> Evidence:
    """What is known of an alarm after a restart: its clips. The next odd window explains the rest."""
    shown = stored.shown
    return Evidence() if shown is None else Evidence(clip=shown.clip, before=shown.before, after=shown.after)
