"""Clips as a gateway has them: sound, its file, its sidecar."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np

from edge_agent.clips.encode import flac_bytes, log_mel_bytes
from edge_agent.clips.sidecar import Sidecar
from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.ulid import encode_ulid
from edge_agent.sync.wire import AUDIO_TYPE, LOG_MEL_TYPE

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BUNDLE = {"name": "default", "version": "1.0.0", "sha256": "b" * 64}


@dataclass(frozen=True)
class SentClip:
    """A clip on its way to the hub.

    Attributes:
        content: Its file.
        sidecar: What is known of it, as JSON.
    """

    content: bytes
    sidecar: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.sidecar["id"])

    @property
    def sha256(self) -> str:
        return str(self.sidecar["sha256"])

    @property
    def record(self) -> dict[str, Any]:
        """The body that goes with it."""
        return {"sidecar": self.sidecar, "agent_version": "0.1.0"}

    @property
    def media_type(self) -> str:
        return AUDIO_TYPE if self.sidecar["sound"]["kind"] == "audio" else LOG_MEL_TYPE

    def put_file(self, client: httpx.Client) -> httpx.Response:
        """Send the file."""
        headers = {"Content-Type": self.media_type, "If-None-Match": "*"}
        return client.put(f"/api/v1/clips/{self.sha256}", content=self.content, headers=headers)

    def put_record(self, client: httpx.Client) -> httpx.Response:
        """Send what is known."""
        return client.put(f"/api/v1/clips/{self.sha256}/records/{self.id}", json=self.record)

    def put(self, client: httpx.Client) -> httpx.Response:
        """Send both; the answer to the record."""
        answer = self.put_file(client)
        assert answer.status_code in (200, 201), answer.text
        return self.put_record(client)


def sound_of(number: int, seconds: float = 0.5) -> bytes:
    """A FLAC file that no other number gives."""
    noise = np.random.default_rng(number).integers(-3000, 3000, round(seconds * 16_000))
    return flac_bytes(noise.astype(np.int16))


def make_clip(
    number: int,
    *,
    site: str = "plant_1",
    gateway: str = "gw_1",
    machine: str = "pump_1",
    machine_type: str = "pump",
    content: bytes | None = None,
    log_mel: bool = False,
    seconds: float = 0.5,
    **changes: Any,  # noqa: ANN401  # any key of a sidecar
) -> SentClip:
    """Clip number `number` of a gateway."""
    clip_id = encode_ulid((1_770_000_000_000 + number << 80) + number)
    if content is None and log_mel:
        frames = np.random.default_rng(number).normal(-60, 5, (32, 128)).astype(np.float32)
        content = log_mel_bytes(frames, first_frame=0, machine=machine, name=clip_id, roll_db=frames)
    elif content is None:
        content = sound_of(number, seconds)
    start = START + timedelta(seconds=30 * number)
    start_ns = int(start.timestamp()) * 1_000_000_000
    sidecar = {
        "id": clip_id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "machine": machine,
        "machine_type": machine_type,
        "reason": "random",
        "window_start": rfc3339(start_ns),
        "window_start_ns": start_ns,
        "clock_synced": True,
        "origin": {
            "site": site, "gateway": gateway, "source": "mic_1", "channel": 0, "device": "hw:1", "rate_hz": 48_000,
        },
        "sound": {
            "kind": "log_mel" if log_mel else "audio", "start": rfc3339(start_ns), "first_sample": 0,
            "samples": round(seconds * 16_000), "window_offset_s": 0.0, "window_s": seconds, "coverage": 1.0,
        },
        "judgement": {
            "state": "normal", "score": 1.0 + number % 7, "threshold": 6.0, "percentile": 50.0, "level_dbfs": -30.0,
            "bundle": BUNDLE,
        },
        "speech": {"policy": "drop", "verdict": "clear"},
    } | changes  # fmt: skip
    Sidecar.model_validate_json(httpx.Request("POST", "http://x", json=sidecar).content)
    return SentClip(content, sidecar)
