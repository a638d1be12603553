"""Clips made up: machines that differ, sessions that differ less, faults that are heard."""

from datetime import date

import numpy as np

from training_hub.features.store import FeatureKey
from training_hub.retrain.clips import FloatArray, KnownClip, LearntClip

_DAY = date(2026, 3, 1)


def known(number: int, machine: str = "pump_0", group: str = "", **changes: object) -> KnownClip:
    values: dict[str, object] = {
        "clip_id": f"{machine}-{number:03}",
        "key": FeatureKey(f"{machine}-{number}".ljust(64, "0"), "site", machine, _DAY),
        "kind": "audio",
        "machine_row": 1,
        "machine": f"site/{machine}",
        "machine_type": "pump",
        "recording": f"site/{group or number}",
        "day": "",
        "state": "",
        "anomalous": False,
        "label": None,
        "licence": "own recordings",
    }
    return KnownClip(**(values | changes))  # type: ignore[arg-type]


def window(seed: int, machine: int = 0, *, tone_db: float = 0.0, frames: int = 128) -> FloatArray:
    """A machine's spectrum with the scatter of a session; `tone_db` is the fault."""
    bands = np.arange(128)
    own = np.random.default_rng(1000 + machine)
    shape = -40.0 - 15.0 * bands / 127 + 6.0 * np.sin(bands / own.uniform(4, 9) + own.uniform(0, 6))
    rng = np.random.default_rng(seed)
    session = 1.0 * np.sin(bands / 20 + rng.uniform(0, 6)) + rng.normal(0, 0.5)
    found = shape + session + rng.normal(0, 1.0, (frames, 128))
    found[:, 40:44] += tone_db
    return found.astype(np.float32)


def learnt(clip: KnownClip, values: FloatArray) -> LearntClip:
    return LearntClip(clip, clip.recording, (values,))
