"""Machines with days and alarms, jobs, runs, bundles and figures for a hub's catalogue."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.orm import Session

from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import load_bundle
from tests.support.agent import ROOT
from tests.support.hub_clips import clip_id, gateway_row, machine_row
from training_hub.catalogue.tables import (
    Alarm,
    Bundle,
    Event,
    Job,
    MachineDay,
    Performance,
    Run,
    RunPoint,
    StoredObject,
)
from training_hub.storage.objects import ObjectStore

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
DIGEST = "d" * 64


def add_fleet(session: Session) -> None:
    """Two machines on two sites: 40 days of the pump, an alarm of each, events."""
    pump, fan = machine_row(session), machine_row(session, "fan_1", "fan", "plant_2")
    here, there = gateway_row(session), gateway_row(session, "gw_2", "plant_2")
    pump.gateway_id, fan.gateway_id = here.id, there.id
    here.report = {"agent_version": "0.1.0"}
    for number in range(40):
        day = date(2026, 1, 1) + timedelta(days=number)
        session.add(MachineDay(machine_id=pump.id, day=day, windows=100, anomalous=number, percentile_sum=5000.0,
                               percentile_windows=100, health_index=1.0 - number / 100, zone="A"))  # fmt: skip
    for number, (machine, gateway, state) in enumerate(((pump, here, "unacknowledged"), (fan, there, "normal"))):
        session.add(Alarm(id=clip_id(100 + number), gateway_id=gateway.id, machine_id=machine.id, kind="machine",
                          state=state, severity="high", raised_at=NOW + timedelta(hours=number), changed_at=NOW,
                          text="=it whines", data={}))  # fmt: skip
        for event in range(5):
            session.add(Event(id=clip_id(200 + 10 * number + event), gateway_id=gateway.id, machine_id=machine.id,
                              kind="result" if event else "alarm", occurred_at=NOW + timedelta(minutes=event),
                              via="mqtt", data={"n": event}))  # fmt: skip
    session.flush()


def add_bundle(session: Session, objects: ObjectStore, *, state: str = "approved") -> Bundle:
    """The shipped bundle, as if it had come out of a training."""
    bundle = load_bundle(ROOT / "models" / "default", probe=False, self_test=False)
    content = pack_bundle(bundle)
    sha256 = hashlib.sha256(content).hexdigest()
    objects.put(sha256, content)
    session.add(StoredObject(sha256=sha256, size_bytes=len(content), media_type="application/x-tar"))
    session.flush()
    row = Bundle(id=clip_id(300), name=bundle.ref.name, version=bundle.ref.version, sha256=bundle.sha256,
                 object_sha256=sha256, state=state, created_by="hub")  # fmt: skip
    session.add(row)
    session.flush()
    return row


def add_run(session: Session, objects: ObjectStore, *, state: str = "done") -> Run:
    """A training with a curve, a gate and a report."""
    report = b"<!doctype html><title>report</title>"
    sha256 = hashlib.sha256(report).hexdigest()
    objects.put(sha256, report)
    session.add(StoredObject(sha256=sha256, size_bytes=len(report), media_type="text/html"))
    session.add(Job(id=clip_id(400), kind="retrain", state=state, progress=0.5, created_by="user:emil"))
    session.flush()
    run = Run(id=clip_id(401), job_id=clip_id(400), what="types", base_sha256="b" * 64, created_by="user:emil",
              gate={"passed": True}, report_sha256=sha256)  # fmt: skip
    session.add(run)
    session.flush()
    session.add_all([RunPoint(run_id=run.id, name="loss", step=step, value=1.0 / (1 + step)) for step in range(3)])
    session.flush()
    return run


def add_performance(session: Session, sha256: str, *, better_by: float = 0.0, digest: str = DIGEST) -> None:
    """Figures of a bundle on both machines."""
    for number, machine in enumerate((machine_row(session), machine_row(session, "fan_1", "fan", "plant_2"))):
        session.add(Performance(
            bundle_sha256=sha256, machine_id=machine.id, dataset_digest=digest, normals=20, anomalies=10,
            auc=0.9 - 0.1 * number + better_by, pauc=0.8, false_alarms=0.05,
            detail={"normal_scores": [n / 10 for n in range(20)], "anomalous_scores": [1.0 + n / 4 for n in range(10)],
                    "threshold": 1.85, "clips": []},
        ))  # fmt: skip
    session.flush()
