"""The second look for speech, before a clip leaves the gateway: detectors get better, and policies stricter."""

from pathlib import Path

import numpy as np

from edge_agent.clips.encode import read_flac, read_log_mel
from edge_agent.clips.ring import FULL_SCALE
from edge_agent.clips.screen import SpeechScreen
from edge_agent.clips.sidecar import Sidecar
from edge_agent.signal.logmel import log_mel_db


class UploadScreen:
    """Screens clips as they lie on the disk. For one thread.

    Args:
        screen: The screen of today, whatever the one was by which the clip was kept.
    """

    def __init__(self, screen: SpeechScreen) -> None:
        self._screen = screen

    def refuses(self, sidecar: Sidecar, payload: Path) -> str | None:
        """Why a clip must not leave the gateway; None where it may.

        A clip that was masked may leave: what held speech is silence in it, and that silence has edges like speech.

        Args:
            sidecar: What is known of it.
            payload: Its FLAC or `.npz` file.

        Raises:
            ClipError: The file cannot be read.
        """
        if sidecar.sound.kind == "audio":
            frames = log_mel_db(read_flac(payload).astype(np.float32) / np.float32(FULL_SCALE))
        else:
            frames = read_log_mel(payload)
        masked = sidecar.speech.masked
        for start_s, stop_s in self._screen.seconds_of_speech(frames):
            if not any(start < stop_s and stop > start_s for start, stop in masked):
                return f"somebody may speak at {start_s:.1f} to {stop_s:.1f} s"
        return None
