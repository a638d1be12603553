"""Whole events to test with."""

from __future__ import annotations

import os
import time

from edge_agent.delivery.message import Message, MessageFactory
from edge_agent.delivery.result import (
    Anomaly,
    BandContribution,
    BundleRef,
    Candidate,
    DetectorResult,
    Identity,
    ResultData,
)
from edge_agent.delivery.states import AlarmData, HealthData, SourceStateData, StatusData
from edge_agent.delivery.status import GatewayFacts
from edge_agent.delivery.topics import Topics
from edge_agent.delivery.ulid import UlidFactory

TIME = "2026-01-31T12:00:00.000000Z"
TIME_NS = 1_769_860_800_000_000_000
ALARM_ID = "01HF7YAT000000000000000000"
TOPICS = Topics("factory", "north", "gw1")
BUNDLE = BundleRef(name="base", version="1.0.0", sha256="ab" * 32)
ANOMALY = Anomaly(
    score=3.25,
    threshold=4.0,
    percentile=87.5,
    detectors=(
        DetectorResult(name="shape", score=12.5, neg_log10_p=1.25, share=0.75),
        DetectorResult(name="transient", score=3.5, neg_log10_p=0.5, share=0.25),
        DetectorResult(name="embedding", score=0.125, neg_log10_p=0.25, share=0.0),
    ),
    bands=tuple(BandContribution(centre_hz=f, contribution=c) for f, c in ((63.0, 0.1), (125.0, -0.2), (4000.0, 1.5))),
)


def result(machine: str = "fan-1", **changes: object) -> ResultData:
    values: dict[str, object] = {
        "machine": machine,
        "window_start": TIME,
        "window_s": 10.0,
        "coverage": 1.0,
        "level_dbfs": -31.25,
        "identity": Identity(
            label="fan-1", confidence=0.9, top=tuple(Candidate(label=f"m{i}", confidence=0.1) for i in range(5))
        ),
        "anomaly": ANOMALY,
        "state": "normal",
        "alarm": None,
        "input_health": (),
        "bundle": BUNDLE,
        "clock_synced": True,
    }
    return ResultData(**{**values, **changes})  # type: ignore[arg-type]  # tables of changes are untyped


def alarm(machine: str = "fan-1", state: str = "unacknowledged") -> AlarmData:
    return AlarmData(
        machine=machine, alarm=ALARM_ID, state=state, kind="anomaly", severity="high", raised_at=TIME,  # type: ignore[arg-type]  # the model checks it
        changed_at=TIME, shelved_until=None, operator=None, anomaly=ANOMALY, input_health=(), text="bearing?",
        clock_synced=True,
    )  # fmt: skip


def health(machine: str = "fan-1") -> HealthData:
    return HealthData(
        machine=machine, assessed_at=TIME, index=0.75, zone="B", windows=360, trend_per_day=-0.01, days_to_limit=75.0,
        clock_synced=True,
    )  # fmt: skip


def source_state(source: str = "mic") -> SourceStateData:
    return SourceStateData(
        source=source, state="up", since=TIME, detail="", rate_hz=48000.0, channels=1, machines=("fan-1",),
        clock_synced=True,
    )  # fmt: skip


def status() -> StatusData:
    return StatusData(
        gateway="gw1", state="online", reason="connected", agent_version="0.1.0", started_at=TIME, bundle=BUNDLE,
        machines=("fan-1",), clock_synced=True,
    )  # fmt: skip


def facts() -> GatewayFacts:
    return GatewayFacts("gw1", "0.1.0", TIME_NS, BUNDLE, ("fan-1",), True)


def factory(topics: Topics = TOPICS) -> MessageFactory:
    return MessageFactory(topics, UlidFactory(now_ms=lambda: time.time_ns() // 1_000_000, randomness=os.urandom))


_FACTORY = factory()


def result_message(machine: str = "fan-1", occurred_ns: int = TIME_NS, *, clock_synced: bool = True) -> Message:
    return _FACTORY.make(result(machine, clock_synced=clock_synced), occurred_ns=occurred_ns)


def alarm_message(machine: str = "fan-1", state: str = "unacknowledged") -> Message:
    return _FACTORY.make(alarm(machine, state), occurred_ns=TIME_NS)


def state_message(source: str = "mic") -> Message:
    return _FACTORY.make(source_state(source), occurred_ns=TIME_NS)
