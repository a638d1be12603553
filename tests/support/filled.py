"""A catalogue with many clips, quickly: rows as intake writes them; one sound stands for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import insert

from edge_agent.delivery.ulid import encode_ulid
from tests.support.clips import make_clip
from training_hub.catalogue.tables import Clip, Gateway, Machine, StoredObject
from training_hub.catalogue.types import utc_now
from training_hub.parts import HubParts

_TYPES = ("fan", "pump", "valve", "compressor")
_FAULTS = ("bearing", "cavitation", "leak", "imbalance")
_STEP = 1000


@dataclass(frozen=True)
class Filling:
    """How a catalogue is filled.

    Attributes:
        clips: How many.
        sites, gateways, machines: Sites; gateways of each; machines of each gateway.
        days: Over which they were heard, the last one today.
        labelled: Share with a label, a third of them faults.
        seed: Same seed, same catalogue.
    """

    clips: int = 10_000
    sites: int = 2
    gateways: int = 2
    machines: int = 5
    days: int = 60
    labelled: float = 0.1
    seed: int = 1


def fill(parts: HubParts, filling: Filling) -> list[str]:
    """Fill an empty catalogue; returns the clips' ids, the oldest first.

    The objects are rows alone, but for one sound that every clip names.
    """
    rng = np.random.default_rng(filling.seed)
    sample = make_clip(1, seconds=10.0)
    parts.objects.put(sample.sha256, sample.content)
    now = datetime.now(UTC).replace(microsecond=0)
    start = now - timedelta(days=filling.days)
    with parts.database.transaction() as session:
        session.execute(
            insert(StoredObject).values(
                sha256=sample.sha256, size_bytes=len(sample.content), media_type="audio/flac", stored_at=start
            )
        )
        machines = []
        for site in range(filling.sites):
            for gateway in range(filling.gateways):
                row = Gateway(site=f"plant_{site + 1}", name=f"gw_{gateway + 1}", last_seen_at=now)
                session.add(row)
                session.flush()
                for number in range(filling.machines):
                    type_ = _TYPES[number % len(_TYPES)]
                    name = f"{type_}_{gateway * filling.machines + number + 1}"
                    machine = Machine(site=row.site, name=name, type=type_, gateway_id=row.id)
                    session.add(machine)
                    machines.append((machine, row))
        session.flush()
        ids: list[str] = []
        rows: list[dict[str, Any]] = []
        for number in range(filling.clips):
            machine, gateway_row = machines[int(rng.integers(len(machines)))]
            heard_at = start + timedelta(seconds=number * filling.days * 86_400 / filling.clips)
            row_values = _clip(number, heard_at, rng, filling.labelled)
            row_values |= {"sha256": sample.sha256, "machine_id": machine.id, "gateway_id": gateway_row.id}
            row_values["recording"] = f"{heard_at:%Y-%m-%d}/{machine.site}/{machine.name}"
            row_values["sidecar"] = sample.sidecar
            ids.append(row_values["id"])
            rows.append(row_values)
            if len(rows) == _STEP or number == filling.clips - 1:
                session.execute(insert(Clip), rows)
                rows = []
    return ids


def _clip(number: int, heard_at: datetime, rng: np.random.Generator, labelled: float) -> dict[str, Any]:
    threshold = 6.0
    score = float(rng.gamma(2.0, 1.2))
    label = None
    if rng.random() < labelled:
        label = str(rng.choice(_FAULTS)) if rng.random() < 1 / 3 else "normal"
        score += 6.0 * (label != "normal")
    dataset = "new" if label is None else "training" if label == "normal" else "validation"
    time_ms = int(heard_at.timestamp() * 1000)
    return {
        "id": encode_ulid((time_ms << 80) + number),
        "origin": "gateway",
        "dataset": dataset,
        "original": False,
        "kind": "audio",
        "heard_at": heard_at,
        "received_at": heard_at + timedelta(minutes=5),
        "duration_s": 10.0,
        "window_offset_s": 0.0,
        "window_s": 10.0,
        "reason": str(rng.choice(("random", "uncertain", "novel", "alarm"))),
        "alarm": None,
        "verdict": "suspect" if score > threshold else "normal",
        "score": score,
        "threshold": threshold,
        "percentile": float(rng.uniform(0, 100)),
        "level_dbfs": float(rng.normal(-30, 3)),
        "bundle_sha256": "b" * 64,
        "embedding": rng.standard_normal(128).astype("<f2").tobytes(),
        "may_train": True,
        "label": label,
        "anomalous": None if label is None else label != "normal",
        "labelled_by": None if label is None else "user:operator",
        "labelled_at": None if label is None else utc_now(),
        "deleted_at": None,
    }
