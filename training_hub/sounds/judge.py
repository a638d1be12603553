"""A window's judgement for one machine, in the words of the answer."""

from edge_agent.detection.explain import sentence
from edge_agent.detection.verdict import Verdict
from edge_agent.pipeline.window import AnalysedWindow
from training_hub.sounds.answer import (
    BandAnswer,
    DetectorAnswer,
    FindingAnswer,
    Judgement,
    NearestNormalAnswer,
)
from training_hub.sounds.profiles import Fitted


def judge(machine: str, window: AnalysedWindow, fitted: Fitted) -> Judgement:
    """Score a window with a machine's profile and explain it.

    Args:
        machine: Its name.
        window: As the ear heard it.
        fitted: The machine's profile.
    """
    verdict = fitted.scorer.score(window.features, window.level)
    blocking = any(finding.blocking for finding in verdict.health)
    return Judgement(
        verdict="input_fault" if blocking else "anomalous" if verdict.is_anomalous else "normal",
        probability=min(1.0, max(0.0, verdict.percentile / 100.0)),
        score=verdict.score,
        threshold=verdict.threshold,
        percentile=min(100.0, max(0.0, verdict.percentile)),
        text=sentence(machine, verdict),
        detectors=_detectors(verdict),
        bands=tuple(
            BandAnswer(centre_hz=band.centre_hz, contribution=band.contribution, change_db=band.change_db)
            for band in verdict.bands
        ),
        input_health=tuple(
            FindingAnswer(code=finding.code.value, blocking=finding.blocking, message=finding.message)
            for finding in verdict.health
        ),
        nearest_normal=NearestNormalAnswer(
            clip=verdict.nearest_normal.recording, distance=verdict.nearest_normal.distance
        ),
        normal_clips=fitted.clips,
        prior=fitted.scorer.profile.prior_name,
    )


def _detectors(verdict: Verdict) -> tuple[DetectorAnswer, ...]:
    return tuple(
        DetectorAnswer(name=part.name, score=part.score, neg_log10_p=part.neg_log10_p, share=part.share)
        for part in verdict.detectors
    )
