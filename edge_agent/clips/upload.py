"""The second look for speech, before a clip leaves the gateway: detectors get better, and policies stricter."""

from pathlib import Path

from edge_agent.clips.frames import frames_of
from edge_agent.clips.screen import SpeechScreen
from edge_agent.clips.sidecar import Sidecar


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
        frames = frames_of(sidecar, payload)
        masked = sidecar.speech.masked
        for start_s, stop_s in self._screen.seconds_of_speech(frames):
            if not any(start < stop_s and stop > start_s for start, stop in masked):
                return f"somebody may speak at {start_s:.1f} to {stop_s:.1f} s"
        return None
