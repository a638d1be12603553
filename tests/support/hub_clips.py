"""Clips for a hub's catalogue without a model: sounds, rows and objects as intake writes them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.clips.encode import flac_bytes
from training_hub.catalogue.tables import Clip, Gateway, Machine, StoredObject
from training_hub.storage.objects import ObjectStore

START = datetime(2026, 1, 1, tzinfo=UTC)


def clip_id(number: int) -> str:
    """A ULID that grows with the number."""
    return f"01HF7YAT{number:018d}"


def hum(seconds: float, rate_hz: int = 16_000, *, seed: int = 0, whine_hz: float | None = None) -> np.ndarray:
    """A machine's sound: noise with a low hum; a fault whines."""
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    sound = 0.02 * rng.standard_normal(len(at)) + 0.05 * np.sin(2 * np.pi * 120 * at + rng.uniform(0, 6))
    if whine_hz is not None:
        sound += 0.05 * np.sin(2 * np.pi * whine_hz * at)
    return sound.astype(np.float32)


def machine_row(session: Session, name: str = "pump_1", type_: str = "pump", site: str = "plant_1") -> Machine:
    """A machine, made once."""
    found = session.scalar(select(Machine).where(Machine.site == site, Machine.name == name))
    if found is None:
        found = Machine(site=site, name=name, type=type_)
        session.add(found)
        session.flush()
    return found


def gateway_row(session: Session, name: str = "gw_1", site: str = "plant_1") -> Gateway:
    """A gateway, made once."""
    found = session.scalar(select(Gateway).where(Gateway.site == site, Gateway.name == name))
    if found is None:
        found = Gateway(site=site, name=name)
        session.add(found)
        session.flush()
    return found


def add_clip(session: Session, objects: ObjectStore, number: int, *, seconds: float = 1.0, **changes: object) -> Clip:
    """A clip with its sound; `changes` are values of its row."""
    content = flac_bytes((hum(seconds, seed=number) * 32_768).astype(np.int16))
    sha256 = hashlib.sha256(content).hexdigest()
    objects.put(sha256, content)
    session.add(StoredObject(sha256=sha256, size_bytes=len(content), media_type="audio/flac"))
    session.flush()
    values: dict[str, object] = {
        "id": clip_id(number),
        "sha256": sha256,
        "origin": "gateway",
        "kind": "audio",
        "recording": f"day_{number // 10}",
        "heard_at": START + timedelta(minutes=number),
        "duration_s": seconds,
        "window_s": seconds,
        "reason": "random",
        **changes,
    }
    if "machine" not in values:
        values["machine"] = machine_row(session)
    clip = Clip(**values)
    session.add(clip)
    session.flush()
    return clip
