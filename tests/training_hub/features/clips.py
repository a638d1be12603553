"""Clips of noise, each its own."""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from edge_agent.clips.encode import flac_bytes, log_mel_bytes
from training_hub.features.decode import AUDIO, LOG_MEL
from training_hub.features.store import FeatureKey
from training_hub.storage.objects import ObjectStore


def stored_clips(objects: ObjectStore, count: int, *, seconds: float = 1.0, machines: int = 2) -> dict[FeatureKey, str]:
    """FLAC clips of several machines over several days, in the store."""
    rng = np.random.default_rng(3)
    clips = {}
    for k in range(count):
        samples = (2000 * rng.standard_normal(round(16_000 * seconds))).astype(np.int16)
        content = flac_bytes(samples)
        sha256 = hashlib.sha256(content).hexdigest()
        objects.put(sha256, content)
        day = date(2026, 3, 1) + timedelta(days=k % 3)
        clips[FeatureKey(sha256, "plant_1", f"pump_{k % machines}", day)] = AUDIO
    return clips


def stored_log_mel(objects: ObjectStore, frames: Sequence[Sequence[float]]) -> dict[FeatureKey, str]:
    """A clip of a site that keeps no audio."""
    window = np.asarray(frames, np.float32)
    content = log_mel_bytes(window, first_frame=0, machine="pump_0", name="one", roll_db=window)
    sha256 = hashlib.sha256(content).hexdigest()
    objects.put(sha256, content)
    return {FeatureKey(sha256, "plant_1", "pump_0", date(2026, 3, 1)): LOG_MEL}
