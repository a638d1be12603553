"""A registry in which everything has moved."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from edge_agent.observe.health import State
from edge_agent.observe.labels import STAGES
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.readings import (
    ClipsReading,
    DeliveryReading,
    IntakeReading,
    LedgerReading,
    MachineReading,
    OutboxReading,
)

LEDGER = LedgerReading("mic", 0, 1000, 700, (("tail", 100), ("low_coverage", 20)), (("overrun", 80),), 100)
OUTBOX = OutboxReading((("alarm", 1), ("result", 4)), 9000, 50, (("cap", 2),), (("io", 1),), 1, 12.5)
DELIVERY = DeliveryReading(True, 2, 45, 5, (("connect", 3),), 7, (("publish", "not_authorized", 6),), 1, 2)
CLIPS = ClipsReading(
    stored=(("alarm", 3),),
    stored_bytes=(("alarm", 900_000),),
    kept=(("alarm", 4),),
    dropped=(("random", "speech", 2),),
    removed=(("evicted", 1),),
    errors=(("disk_full", 5),),
    verdicts=(("clear", 6),),
    ring_bytes=2_600_000,
    waiting_bytes=7,
)


def moved() -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.watch_ledgers(lambda: [LEDGER])
    metrics.watch_outbox(lambda: OUTBOX)
    metrics.watch_delivery(lambda: DELIVERY)
    metrics.watch_queue("blocks", lambda: 3)
    metrics.watch_disk(Path("/"))
    metrics.watch_clips(lambda: CLIPS)
    metrics.watch_intake(lambda: IntakeReading(held=2, given_up=4))
    metrics.started(version="0.1.0", python="3.11.7", wall_s=1.7e9)
    metrics.model_loaded(name="base", version="1", sha256="aa")
    metrics.model_loaded(name="base", version="2", sha256="bb")
    metrics.machines([MachineReading("fan-1", "fan", "provisional")])
    metrics.window_scored(
        "fan-1",
        state="alarm",
        score=5.5,
        threshold=4.0,
        percentile=99.5,
        level_dbfs=-30.0,
        level_db_spl=64.0,
        wall_s=1.7e9,
    )
    metrics.input_findings("fan-1", {"identity_mismatch"})
    metrics.alarm_state("fan-1", "unacknowledged", raised_s=1.6e9)
    metrics.alarm_raised("fan-1", "01ALARM")
    metrics.alarm_heard("fan-1", "01ALARM", "01CLIP")
    metrics.clip_kept("fan-1", "01CLIP", score=5.5, threshold=4.0)
    metrics.page_frames_shed("behind", 32)
    metrics.alarm_changed("anomaly", "raise")
    metrics.alarm_store_failed("save")
    metrics.faults_known("fan-1", ("hum", "dead"))
    metrics.input_fault("fan-1", "hum", on=True)
    metrics.plant_event(on=True)
    metrics.command_known("shelve")
    metrics.command("shelve", "done")
    metrics.command("shelve", "expired")
    metrics.learning_frozen("fan-1", frozen=True)
    metrics.published(0.2)
    for stage in STAGES:
        metrics.stage_took(stage, 0.01)
    metrics.source_state("mic", State.UP)
    metrics.restarted("capture")
    metrics.clock_synced(synced=True)
    return registry
