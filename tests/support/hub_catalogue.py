"""A catalogue worth looking at: two plants, months of days, clips with real sound, alarms, runs, rollouts.

Everything is drawn from one seed. The sound is simulated; figures of detection in it are drawn, never measured.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert
from threadpoolctl import threadpool_limits

from edge_agent.delivery.ulid import UlidFactory
from edge_agent.simulate import MachineType
from edge_agent.sync.wire import GatewayReport
from tests.support.hub_history import Seeding, add_alarms, add_audit, add_days, add_learning, add_rollouts
from tests.support.hub_sounds import SeededSound, SoundMaker
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Clip, Gateway, Machine, StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.storage.objects import ObjectStore

NOW = datetime(2026, 5, 18, 9, 30, tzinfo=UTC)
PLANTS = {
    "plant_lyon": {"gw_hall_1": ("fan_3", "pump_7", "gearbox_1"), "gw_hall_2": ("valve_2", "compressor_1")},
    "plant_ulm": {"gw_press": ("slide_rail_4", "bldc_motor_2", "pump_1")},
}
FAULTS = {
    "fan": ("imbalance", "broken_blade", "bearing_outer_race"),
    "pump": ("cavitation", "bearing_outer_race", "leak"),
    "gearbox": ("tooth_crack", "wear"),
    "valve": ("stiction", "leak"),
    "compressor": ("valve_leak", "rod_knock"),
    "slide_rail": ("no_lubricant", "knocking"),
    "bldc_motor": ("imbalance", "phase_fault"),
}


@dataclass(frozen=True)
class Seeded:
    """What was put in, for tests to ask for.

    Attributes:
        machines: Row ids by name.
        clips: Clip ids, the latest first.
        bundle_sha256: Of the shipped bundle.
    """

    machines: dict[str, int]
    clips: tuple[str, ...]
    bundle_sha256: str


def seed_catalogue(database: Database, objects: ObjectStore, *, now: datetime | None = None) -> Seeded:
    """Fill an empty database and store. `now` is when the last clip was heard; by default this moment."""
    now = now or utc_now()
    random = np.random.default_rng(11)
    maker = SoundMaker()
    ulid = UlidFactory(now_ms=lambda: int(now.timestamp() * 1000), randomness=random.bytes)
    with database.transaction() as session:
        seeding = Seeding(session, objects, now, random, ulid)
        _add_plants(seeding, maker.bundle.ref.sha256)
        with threadpool_limits(limits=1):  # beside others' work, BLAS threads only wait for each other
            _add_clips(seeding, maker)
        add_days(seeding)
        add_alarms(seeding)
        add_rollouts(seeding, add_learning(seeding, maker.bundle))
        add_audit(seeding)
    newest = sorted(seeding.clips, key=lambda clip: (clip.heard_at, clip.id), reverse=True)
    ids = {name: machine.id for name, machine in seeding.machines.items()}
    return Seeded(ids, tuple(clip.id for clip in newest), maker.bundle.ref.sha256)


def _add_plants(seeding: Seeding, sha256: str) -> None:
    session, now, gateways, machines = seeding.session, seeding.now, seeding.gateways, seeding.machines
    for site, hosts in PLANTS.items():
        for number, (name, heard) in enumerate(hosts.items()):
            seen = now - timedelta(seconds=20 + 40 * number) if name != "gw_hall_2" else now - timedelta(hours=9)
            gateway = Gateway(
                site=site,
                name=name,
                ring="canary" if name == "gw_hall_1" else "main",
                created_at=now - timedelta(days=190),
                last_seen_at=seen,
                report=_report(site, name, heard, seen, sha256),
            )
            session.add(gateway)
            session.flush()
            gateways[name] = gateway
            for machine_name in heard:
                machine = Machine(
                    site=site,
                    name=machine_name,
                    type=machine_name.rsplit("_", 1)[0],
                    gateway_id=gateway.id,
                    created_at=now - timedelta(days=180),
                )
                session.add(machine)
                machines[machine_name] = machine
    session.flush()


_UPDATE = {
    "rollout": "01J00000000000000000000001",
    "bundle": {"name": "default", "version": "0.3.1", "sha256": "5" * 64},
    "phase": "failed",
    "why": "not enough room on the disk",
}


def _report(site: str, name: str, heard: tuple[str, ...], seen: datetime, sha256: str) -> dict[str, Any]:
    stamp = seen.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    machines = [
        {"id": m, "type": m.rsplit("_", 1)[0], "windows": 360, "anomalous": 4, "failed": 0, "mean_percentile": 51.2}
        for m in heard
    ]
    told = {
        "site": site,
        "gateway": name,
        "agent_version": "0.3.0",
        "started_at": stamp,
        "reported_at": stamp,
        "clock_synced": name != "gw_press",
        "bundle": {"name": "default", "version": "0.3.0", "sha256": sha256},
        "clips_waiting": 412 if name == "gw_hall_2" else 3,
        "clip_bytes_waiting": 131_840_000,
        "machines": machines,
        "window_latency_s": 0.08,
        "window_computing_s": 0.0031,
        "update": _UPDATE if name == "gw_press" else None,
    }
    return GatewayReport.model_validate(told).model_dump(mode="json")


def _add_clips(seeding: Seeding, maker: SoundMaker) -> None:
    session, objects, clips, now = seeding.session, seeding.objects, seeding.clips, seeding.now
    for number, machine in enumerate(seeding.machines.values()):
        kind, faults = MachineType(machine.type), FAULTS[machine.type]
        takes: list[tuple[SeededSound, str | None]] = [
            *((maker.sound(kind, number, take), None) for take in range(4)),
            *(
                (maker.sound(kind, number, 90 + take, faults[take % len(faults)]), faults[take % len(faults)])
                for take in range(2)
            ),
        ]
        for take, (sound, fault) in enumerate(takes):
            if objects.put(sound.sha256, sound.flac):
                session.add(
                    StoredObject(
                        sha256=sound.sha256, size_bytes=len(sound.flac), media_type="audio/flac", stored_at=now
                    )
                )
                session.flush()
            clips.append(_clip(seeding, machine, sound, fault, take))
    session.add_all(clips)
    session.flush()


def _clip(seeding: Seeding, machine: Machine, sound: SeededSound, fault: str | None, take: int) -> Clip:
    random, now = seeding.random, seeding.now
    place = sorted(seeding.machines).index(machine.name)
    heard = now - timedelta(minutes=7 + 53 * place + int(random.integers(1, 40_000) if take % 3 else take))
    score = float(random.gamma(3.0, 2.0) + 8.0) if fault else float(random.gamma(2.0, 0.7))
    labelled = take in (0, 1, 2, 4)
    dataset = ("training" if fault is None else "validation") if labelled else "new"
    own = UlidFactory(now_ms=lambda: int(heard.timestamp() * 1000), randomness=random.bytes)
    return Clip(
        id=own(),
        sha256=sound.sha256,
        machine_id=machine.id,
        gateway_id=machine.gateway_id,
        origin="import" if take in (0, 1, 4) else "gateway",
        dataset=dataset,
        original=take in (0, 1, 4),
        kind="audio",
        recording=f"{machine.site}/{machine.name}/{heard.date().isoformat()}",
        heard_at=heard,
        received_at=heard + timedelta(minutes=2),
        duration_s=10.0,
        reason="alarm" if fault else ("random", "novel", "uncertain")[take % 3],
        verdict="alarm" if score > 9 else "suspect" if score > 3 else "normal",
        score=score,
        threshold=4.2,
        percentile=min(99.97, 100 * (1 - float(np.exp(-score)))),
        level_dbfs=sound.level_dbfs,
        bundle_sha256=sound.bundle_sha256,
        embedding=sound.embedding,
        label=(fault or "normal") if labelled else None,
        anomalous=(fault is not None) if labelled else None,
        labelled_by="user:anna" if labelled else None,
        labelled_at=heard + timedelta(hours=1) if labelled else None,
    )


def add_many_clips(database: Database, count: int, *, seed: int = 5) -> None:
    """Rows that share the objects of those there are: for how quick lists stay."""
    random = np.random.default_rng(seed)
    with database.transaction() as session:
        models = list(session.query(Clip).limit(200))
        start = min(clip.heard_at for clip in models) - timedelta(days=1)
        rows = []
        for number in range(count):
            model = models[int(random.integers(len(models)))]
            row = {column.key: getattr(model, column.key) for column in Clip.__table__.columns}
            digest = hashlib.sha256(f"{seed}.{number}".encode()).digest()
            heard = start - timedelta(seconds=61 * number)
            own = UlidFactory(now_ms=lambda at=heard: int(at.timestamp() * 1000), randomness=lambda n, d=digest: d[:n])
            rows.append({**row, "id": own(), "heard_at": heard, "received_at": heard})
        session.execute(insert(Clip), rows)


def describe(seeded: Seeded, path: Path) -> None:
    """Write what was seeded beside a server that somebody looks at."""
    path.write_text(json.dumps({"machines": seeded.machines, "clips": list(seeded.clips)}, indent=1), encoding="utf-8")
