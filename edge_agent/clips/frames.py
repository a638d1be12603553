"""The log-mel frames of a clip as it lies on the disk."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.clips.encode import read_flac, read_log_mel
from edge_agent.clips.ring import FULL_SCALE
from edge_agent.clips.sidecar import Sidecar
from edge_agent.signal.logmel import log_mel_db


def frames_of(sidecar: Sidecar, payload: Path) -> NDArray[np.float32]:
    """Frames `[frames, 128]` in dB, of its sound or of what is kept instead of it.

    Args:
        sidecar: What is known of the clip.
        payload: Its FLAC or `.npz` file.

    Raises:
        ClipError: The file cannot be read.
    """
    if sidecar.sound.kind == "audio":
        return log_mel_db(read_flac(payload).astype(np.float32) / np.float32(FULL_SCALE))
    return read_log_mel(payload)
