"""From what was heard to what goes on the wire."""

from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.result import (
    AlarmRef,
    Anomaly,
    BundleRef,
    FaultType,
    InputFinding,
    ResultData,
    Trend,
)
from edge_agent.detection.explain import sentence
from edge_agent.detection.faults import FaultGuess
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.verdict import Verdict
from edge_agent.inference.manifest import BundleRef as BundleIdentity
from edge_agent.pipeline.identity import Identity as HeardIdentity
from edge_agent.pipeline.listener import Heard
from edge_agent.pipeline.match import Match as HeardMatch
from edge_agent.pipeline.window import AnalysedWindow


def bundle_reference(bundle: BundleIdentity) -> BundleRef:
    """The bundle as events name it."""
    return BundleRef(name=bundle.name, version=bundle.version, sha256=bundle.sha256)


def result_data(
    window: AnalysedWindow,
    heard: Heard,
    *,
    start_ns: int,
    bundle: BundleRef,
    clock_synced: bool,
    alarm: AlarmRef | None = None,
    file: str | None = None,
    clip: int | None = None,
    level_db_spl: float | None = None,
    trend: Trend | None = None,
) -> ResultData:
    """The data of a result event."""
    verdict = heard.verdict
    # checked as a whole, not model by model: there are some thirty in each event
    return ResultData.model_validate(
        {
            "machine": heard.machine_id,
            "window_start": rfc3339(start_ns),
            "window_s": window.duration_s,
            "coverage": min(1.0, window.coverage),
            "level_dbfs": None if window.level is None else window.level.rms_dbfs,
            "identity": None if heard.identity is None else _identity(heard.identity),
            "anomaly": model_error(window.features)
            if verdict is None
            else _anomaly(verdict, _text(heard, verdict, trend)),
            "state": heard.state.value,
            "alarm": alarm,
            "input_health": () if verdict is None else input_findings(verdict),
            "bundle": bundle,
            "clock_synced": clock_synced,
            "file": file,
            "clip": clip,
            "level_db_spl": level_db_spl,
            "match": None if heard.match is None else _match(heard.match),
            "prior": heard.prior,
            "trend": trend,
            "fault_type": None if heard.fault is None else fault_type_of(heard.fault),
        }
    )


def fault_type_of(guess: FaultGuess) -> FaultType:
    """The kind of fault as events name it."""
    return FaultType(label=guess.label, distance=guess.distance, confidence=min(1.0, guess.confidence))


def anomaly_of(verdict: Verdict, text: str | None = None) -> Anomaly:
    """Score and explanation of a verdict; `text` says it in plain words."""
    return Anomaly.model_validate(_anomaly(verdict, text))


def _anomaly(verdict: Verdict, text: str | None) -> dict[str, object]:
    nearest = verdict.nearest_normal
    return {
        "score": verdict.score,
        "threshold": verdict.threshold,
        "percentile": verdict.percentile,
        "detectors": tuple(
            {"name": name, "score": score, "neg_log10_p": neg_log10_p, "share": share}
            for name, score, neg_log10_p, share in verdict.detectors
        ),
        "bands": tuple(
            {"centre_hz": centre_hz, "contribution": contribution} for centre_hz, contribution, _ in verdict.bands
        ),
        "nearest_normal": {
            "recording": nearest.recording,
            "start_s": nearest.start_s,
            "distance": nearest.distance,
        },
        "text": None if text is None else text[:2048],
    }


def model_error(features: WindowFeatures) -> Anomaly | None:
    """The error of a model that rebuilds its input, before commissioning can say what is usual; None without one."""
    if features.reconstruction_error is None:
        return None
    return Anomaly(score=features.reconstruction_error, threshold=None, percentile=None, detectors=(), bands=())


def input_findings(verdict: Verdict) -> tuple[InputFinding, ...]:
    """What is wrong with the input."""
    return tuple(InputFinding(name=f.code.value, value=None, limit=None, text=f.message) for f in verdict.health)


def _text(heard: Heard, verdict: Verdict, trend: Trend | None) -> str:
    return sentence(
        heard.machine_id,
        verdict,
        trend_per_day=None if trend is None else trend.per_day,
        days_to_limit=None if trend is None else trend.days_to_limit,
    )


def _match(match: HeardMatch) -> dict[str, object]:
    return {
        "machine": match.machine,
        "distance": match.distance,
        "limit": match.limit,
        "confidence": match.confidence,
    }


def _identity(identity: HeardIdentity) -> dict[str, object]:
    return {
        "label": identity.label,
        "confidence": identity.confidence,
        "top": tuple({"label": each.label, "confidence": each.confidence} for each in identity.top),
    }
