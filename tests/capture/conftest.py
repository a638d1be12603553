"""Recordings made on the spot, and the simulated microphones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.pulse import pulse

__all__ = ["pulse"]

WriteSound = Callable[..., Path]


@pytest.fixture
def write_sound(tmp_path: Path) -> WriteSound:
    """Write noise of known content: write_sound(name, frames=, channels=, rate_hz=, **soundfile arguments)."""

    def write(name: str, frames: int = 4000, channels: int = 1, rate_hz: int = 16_000, **arguments: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(frames, channels), rate_hz, **arguments)
        return path

    return write


def noise(frames: int, channels: int = 1) -> np.ndarray:
    """The same 16-bit noise every time, float32 `[frames, channels]`: exact in every integer format."""
    values = np.random.default_rng(7).integers(-8000, 8000, size=(frames, channels))
    return (values / 32768).astype(np.float32)
