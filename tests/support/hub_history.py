"""The history in a seeded catalogue: days, alarms, runs, figures of bundles, rollouts, audit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from edge_agent.inference.archive import pack_bundle
from edge_agent.inference.bundle import Bundle as AgentBundle
from edge_agent.sync.wire import ShadowReport
from training_hub.catalogue.tables import (
    Alarm,
    AuditEntry,
    Bundle,
    Clip,
    Gateway,
    Job,
    Label,
    Machine,
    MachineDay,
    Performance,
    Rollout,
    RolloutGateway,
    RolloutStep,
    Run,
    RunPoint,
    StoredObject,
)
from training_hub.evaluation.metrics import auc, partial_auc
from training_hub.rollout.limits import Limits
from training_hub.rollout.progress import Progress, Tally
from training_hub.storage.objects import ObjectStore

_BANDS_HZ = (125, 250, 500, 630, 1000, 1250, 1600, 2000, 2500, 3150, 4000)
DAYS = 150
_REPORT = b"<!doctype html><html lang=en><head><title>Evaluation</title></head><body><h1>Evaluation</h1></body></html>"


@dataclass
class Seeding:
    """What is being filled, with what, as of when.

    Attributes:
        session, objects: The catalogue and the store.
        now: When the last clip was heard.
        random, ulid: Where numbers and ids are drawn.
        gateways, machines: By name, once they were added.
        clips: All that were added.
    """

    session: Session
    objects: ObjectStore
    now: datetime
    random: np.random.Generator
    ulid: Callable[[], str]
    gateways: dict[str, Gateway] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    clips: list[Clip] = field(default_factory=list)


def add_days(seeding: Seeding) -> None:
    """Five months of every machine; the fan wears out, the pump was repaired."""
    session, machines, random = seeding.session, seeding.machines, seeding.random
    last = seeding.now.date()
    for name, machine in machines.items():
        for back in range(DAYS):
            age = (DAYS - back) / DAYS
            health = 0.97 + float(random.normal(0, 0.01))
            if name == "fan_3":
                health -= 0.62 * age**3
            if name == "pump_7" and 40 < back < 75:
                health -= 0.5 * (75 - back) / 35
            health = float(np.clip(health, 0, 1))
            zone = "A" if health > 0.85 else "B" if health > 0.6 else "C" if health > 0.3 else "D"
            share = 0.004 + 0.09 * (1 - health)
            if name == "valve_2" and 60 <= back < 66:
                continue
            session.add(
                MachineDay(
                    machine_id=machine.id,
                    day=last - timedelta(days=back),
                    windows=8640,
                    anomalous=int(random.binomial(8640, share)),
                    percentile_sum=8640 * 50.0 + 200 * share,
                    percentile_windows=8640,
                    alarms=int(random.poisson(3 * (1 - health))),
                    health_index=health,
                    zone=zone,
                )
            )
    session.flush()


def add_alarms(seeding: Seeding) -> None:
    """Alarms in several states, most with the clip that raised them."""
    session, machines, gateways, now, ulid = (
        seeding.session,
        seeding.machines,
        seeding.gateways,
        seeding.now,
        seeding.ulid,
    )
    clips = seeding.clips
    by_id = {machine.id: machine for machine in machines.values()}
    states = ("unacknowledged", "acknowledged", "shelved", "normal", "returned_unacknowledged")
    odd = [clip for clip in clips if clip.verdict == "alarm"]
    for number, clip in enumerate(odd):
        machine, alarm = by_id[clip.machine_id], ulid()
        clip.alarm = alarm
        bands = [
            {"centre_hz": float(hz), "contribution": round(3.4 * np.cos(place * 0.9 + number) * (1 + place / 9), 3)}
            for place, hz in enumerate(_BANDS_HZ)
        ]
        text = (
            f"{machine.name} sounds unusual since {20 + number} minutes: 1000 to 2500 Hz louder, a whine at 1.2 kHz; "
            "rarer than one window in a thousand. Look at the bearing on the drive side."
        )
        at = clip.heard_at.isoformat()
        session.add(
            Alarm(
                id=alarm,
                gateway_id=machine.gateway_id,
                machine_id=machine.id,
                kind="anomaly",
                state=states[number % len(states)],
                severity=("high", "medium", "low", "critical")[number % 4],
                raised_at=clip.heard_at,
                changed_at=clip.heard_at + timedelta(minutes=9),
                text=text,
                data={
                    "machine": machine.name,
                    "alarm": alarm,
                    "state": states[number % len(states)],
                    "kind": "anomaly",
                    "severity": "high",
                    "raised_at": at,
                    "changed_at": at,
                    "text": text,
                    "clip": clip.id,
                    "operator": "anna" if number % 2 else None,
                    "anomaly": {
                        "score": clip.score,
                        "threshold": clip.threshold,
                        "percentile": clip.percentile,
                        "detectors": [
                            {"name": "shape", "score": 31.0, "neg_log10_p": 5.1, "share": 0.7},
                            {"name": "embedding", "score": 1.9, "neg_log10_p": 2.2, "share": 0.3},
                        ],
                        "bands": bands,
                        "nearest_normal": {"recording": "monday.flac", "start_s": 20.0, "distance": 0.31},
                    },
                },
            )
        )
    gateway = gateways["gw_press"]
    session.add(
        Alarm(
            id=ulid(),
            gateway_id=gateway.id,
            machine_id=machines["slide_rail_4"].id,
            kind="input_fault",
            state="unacknowledged",
            severity="medium",
            raised_at=now - timedelta(hours=2),
            changed_at=now,
            text="slide_rail_4: the microphone is muffled (high frequencies 18 dB below its own normal).",
            data={"kind": "input_fault", "fault": "muffled", "anomaly": None},
        )
    )
    session.flush()


def add_learning(seeding: Seeding, shipped: AgentBundle) -> dict[str, Bundle]:
    """Three bundles, four runs, figures with score lists."""
    session, objects, machines, now, ulid = (
        seeding.session,
        seeding.objects,
        seeding.machines,
        seeding.now,
        seeding.ulid,
    )
    bundles: dict[str, Bundle] = {}
    states = (
        ("0.3.0", "approved", 0.0),
        ("0.4.0", "retired", 0.6),
        ("0.5.0", "draft", 1.1),
        ("0.4.1", "refused", -0.9),
    )
    for number, (version, state, gain) in enumerate(states):
        sha = shipped.ref.sha256 if number == 0 else hashlib.sha256(version.encode()).hexdigest()
        run_id = None if number == 0 else _add_run(seeding, version, state, shipped.ref.sha256, number)
        archive = pack_bundle(shipped) if number == 0 else f"bundle {version}".encode()
        bundle = Bundle(
            id=ulid(),
            name="default",
            version=version,
            sha256=sha,
            object_sha256=_store(session, objects, archive, "application/x-tar"),
            state=state,
            run_id=run_id,
            created_by="hub" if number == 0 else "user:erik",
            created_at=now - timedelta(days=60 - 12 * number),
            approved_by="user:erik" if state == "approved" else None,
            model_card=f"# default {version}\n\nTrained on the catalogue.",
        )
        session.add(bundle)
        session.flush()
        bundles[version] = bundle
        for place, machine in enumerate(machines.values()):
            _add_performance(seeding, sha, machine, gain + 0.15 * (place % 3))
    _add_going_run(seeding, shipped.ref.sha256)
    session.flush()
    return bundles


def _add_performance(seeding: Seeding, sha: str, machine: Machine, gain: float) -> None:
    session, now, random = seeding.session, seeding.now, seeding.random
    normals = np.round(random.gamma(2.0, 0.7, 240), 4)
    anomalies = np.round(random.gamma(3.0, 1.2, 70) + max(0.0, 1.2 + gain), 4)
    scores = np.concatenate([normals, anomalies])
    anomalous = np.arange(len(scores)) >= len(normals)
    threshold = float(np.quantile(normals, 0.985))
    session.add(
        Performance(
            bundle_sha256=sha,
            machine_id=machine.id,
            dataset_digest="d" * 64,
            normals=len(normals),
            anomalies=len(anomalies),
            auc=auc(anomalous, scores),
            pauc=partial_auc(anomalous, scores),
            false_alarms=float((normals > threshold).mean()),
            measured_at=now - timedelta(days=3),
            detail={
                "normal_scores": normals.tolist(),
                "anomalous_scores": anomalies.tolist(),
                "threshold": threshold,
                "clips": [],
            },
        )
    )


def _add_run(seeding: Seeding, version: str, state: str, base_sha256: str, number: int) -> str:
    session, machines, now, random, ulid = seeding.session, seeding.machines, seeding.now, seeding.random, seeding.ulid
    report_sha = _store(session, seeding.objects, _REPORT, "text/html")
    began = now - timedelta(days=60 - 12 * number)
    job, run = ulid(), ulid()
    session.add(
        Job(
            id=job,
            kind="retrain",
            state="done",
            progress=1.0,
            message="done",
            created_by="user:erik",
            created_at=began,
            started_at=began,
            finished_at=began + timedelta(minutes=41),
            result={"run": run},
        )
    )
    session.flush()
    passed = state != "refused"
    rows = []
    for place, machine in enumerate(machines.values()):
        change = 0.012 - 0.002 * place - (0.03 if not passed and machine.name == "pump_1" else 0.0)
        lost = change < -0.01
        rows.append(
            {
                "machine": machine.name,
                "machine_type": machine.type,
                "normals": 24,
                "anomalies": 11,
                "recordings": 9,
                "before": {"auc": 0.92, "pauc": 0.81, "false_alarms": 0.014, "nominal": 0.1, "refused": ""},
                "after": {"auc": 0.92 + change, "pauc": 0.82, "false_alarms": 0.012, "nominal": 0.1, "refused": ""},
                "auc_change": change,
                "auc_change_low": change - 0.01,
                "auc_change_high": change + 0.01,
                "verdict": "lost" if lost else "kept",
                "why": "loses more than one point of AUC" if lost else "",
                "uncertainty": "95 % interval of two points",
            }
        )
    session.add(
        Run(
            id=run,
            job_id=job,
            what="encoder+types",
            base_sha256=base_sha256,
            parameters={"minutes": 40, "seed": 1},
            dataset={"train": 812, "calibrate": 109, "test": 100, "digest": "d" * 64},
            metrics={"loss": 0.31, "recognised": 0.94},
            gate={
                "passed": passed,
                "machines": rows,
                "worst": rows[-1]["machine"],
                "why": [] if passed else ["pump_1 loses 2.3 points of AUC (.91 to .887); 1 is allowed"],
            },
            report_sha256=report_sha,
            created_by="user:erik",
            created_at=began,
            finished_at=began + timedelta(minutes=41),
        )
    )
    session.flush()
    for step in range(0, 2000, 50):
        loss = 2.9 * float(np.exp(-step / 500)) + 0.3 + float(random.normal(0, 0.03))
        session.add(RunPoint(run_id=run, name="loss", step=step, value=loss))
        session.add(RunPoint(run_id=run, name="recognised", step=step, value=1 - loss / 4))
    return run


def _add_going_run(seeding: Seeding, base_sha256: str) -> None:
    session, now, ulid = seeding.session, seeding.now, seeding.ulid
    job, run = ulid(), ulid()
    session.add(
        Job(
            id=job,
            kind="retrain",
            state="running",
            progress=0.42,
            message="encoder: step 1,130 of 2,700",
            created_by="user:erik",
            created_at=now - timedelta(minutes=20),
            started_at=now - timedelta(minutes=19),
            beat_at=now,
        )
    )
    session.flush()
    session.add(
        Run(
            id=run,
            job_id=job,
            what="encoder+types+faults",
            base_sha256=base_sha256,
            parameters={"minutes": 45},
            created_by="user:erik",
            created_at=now - timedelta(minutes=20),
        )
    )
    session.flush()
    for step in range(0, 1130, 50):
        session.add(RunPoint(run_id=run, name="loss", step=step, value=2.9 * float(np.exp(-step / 600)) + 0.3))


def add_rollouts(seeding: Seeding, bundles: dict[str, Bundle]) -> None:
    """One on its canary, one that is done, one that rolled back."""
    session, gateways, now, ulid = seeding.session, seeding.gateways, seeding.now, seeding.ulid
    plan = (
        ("0.4.1", "rolled_back", 34, "failed", "score shift of 9.1 points on pump_1; 5 are allowed"),
        ("0.4.0", "done", 20, "active", "all gateways run it"),
        ("0.5.0", "canary", 1, "shadow", "canary gateways first"),
    )
    for version, stage, back, phase, why in plan:
        at = now - timedelta(days=back)
        rollout = Rollout(
            id=ulid(),
            bundle_id=bundles[version].id,
            stage=stage,
            percentage=0 if stage == "canary" else 100,
            mode="active",
            limits=Limits().model_dump(mode="json"),
            why=why,
            created_by="user:erik",
            created_at=at,
            changed_at=at + timedelta(hours=3),
        )
        session.add(rollout)
        session.flush()
        for name, gateway in gateways.items():
            if stage == "canary" and gateway.ring != "canary":
                continue
            shadow = ShadowReport(
                windows=4120,
                errors=2,
                latency_ratio=1.07,
                exceedance_new=0.011,
                exceedance_old=0.014,
                percentile_shift=1.3,
            )
            own = Progress(
                phase=phase if name != "gw_press" else "active",
                why=why if phase == "failed" else "",
                healthy=4,
                before=Tally(windows=8000, anomalous=110),
                since=Tally(windows=900, anomalous=12),
                latency_before_s=0.08,
                latency_s=0.09,
                shadow=shadow,
                reported_at=at + timedelta(hours=2),
            )
            session.add(
                RolloutGateway(
                    rollout_id=rollout.id,
                    gateway_id=gateway.id,
                    phase=phase if name != "gw_press" else "active",
                    report=own.model_dump(mode="json"),
                    assigned_at=at,
                    reported_at=at + timedelta(hours=2),
                )
            )
        for step, word in enumerate(("canary", stage)):
            session.add(
                RolloutStep(
                    rollout_id=rollout.id,
                    at=at + timedelta(hours=step),
                    stage=word,
                    by="user:erik" if step == 0 else "hub",
                    why=why,
                )
            )
    session.flush()


def add_audit(seeding: Seeding) -> None:
    """What people did."""
    session, clips, now = seeding.session, seeding.clips, seeding.now
    for number, clip in enumerate(clip for clip in clips if clip.label):
        session.add(
            Label(
                clip_id=clip.id, label=clip.label, anomalous=bool(clip.anomalous), by="user:anna", at=clip.labelled_at
            )
        )
        session.add(
            AuditEntry(
                at=now - timedelta(minutes=11 * number),
                actor="user:anna",
                action="clip.label",
                subject=f"clip:{clip.id}",
                detail={"label": clip.label},
                address="10.1.2.3",
            )
        )


def _store(session: Session, objects: ObjectStore, content: bytes, media_type: str) -> str:
    sha = hashlib.sha256(content).hexdigest()
    if objects.put(sha, content):
        session.add(StoredObject(sha256=sha, size_bytes=len(content), media_type=media_type))
        session.flush()
    return sha
