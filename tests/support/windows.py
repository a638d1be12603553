"""Finished windows as the engine hands them on, with verdicts that a test chooses."""

import numpy as np

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.capture.clock import NS_PER_S
from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.verdict import DetectorVerdict, HealthCode, HealthFinding, NearestNormal, Verdict
from edge_agent.pipeline.identity import Candidate, Identity
from edge_agent.pipeline.listener import Heard, MachineState
from edge_agent.pipeline.policy import Unscorable
from edge_agent.pipeline.window import AnalysedWindow

START_NS = 1_700_000_000 * NS_PER_S
WINDOW_NS = 10 * NS_PER_S
THRESHOLD = 3.0


def analysed(index: int = 0) -> AnalysedWindow:
    """A window of ten seconds with nothing in it that matters."""
    features = WindowFeatures(
        np.zeros((311, 128), np.float32), np.zeros((8, 16), np.float32), np.zeros((8, 3), np.float32)
    )
    first = index * 160_000
    return AnalysedWindow(index, first, first + 160_000, first + 160_000, 10.0 * index, 10.0, 1.0, features, None)


def verdict(score: float, *, blocked: bool = False) -> Verdict:
    """A verdict with this score against `THRESHOLD`."""
    dead = HealthFinding(HealthCode.DEAD, True, "digital silence; check microphone, cable and channel")
    return Verdict(
        score=score,
        threshold=THRESHOLD,
        percentile=50.0,
        detectors=(DetectorVerdict("shape", score, score, 1.0),),
        bands=(),
        health=(dead,) if blocked else (),
        state=0,
        nearest_normal=NearestNormal("a.wav", 0.0, 0.1),
        is_anomalous=score >= THRESHOLD and not blocked,
    )


def heard(machine_id: str, index: int, score: float | None, alarms: AlarmMachine, *, blocked: bool = False) -> Heard:
    """What a listener makes of window number `index`; a score of None is a machine without a profile."""
    identity = Identity("m", 0.9, (Candidate("m", 0.9),))
    if score is None:
        return Heard(machine_id, identity, None, MachineState.UNCOMMISSIONED, None)
    made = verdict(score, blocked=blocked)
    alarm = alarms.update(made, START_NS + index * WINDOW_NS)
    state = MachineState.SUSPECT if made.is_anomalous else MachineState.NORMAL
    return Heard(machine_id, identity, made, MachineState.INPUT_FAULT if blocked else state, alarm)


def event(source_id: str, index: int, heard_: Heard | None) -> WindowEvent:
    """The engine's word on window number `index`; without `heard_` it was rejected."""
    start_ns = START_NS + index * WINDOW_NS
    rejected = Unscorable.LOW_COVERAGE if heard_ is None else None
    return WindowEvent(source_id, 0, analysed(index), heard_, rejected, start_ns, start_ns + WINDOW_NS)
