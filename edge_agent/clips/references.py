"""What others may know of clips: which one shows an alarm, and asking for one."""

from typing import Protocol

from edge_agent.clips.reasons import Dropped


class ClipReferences(Protocol):
    """Names clips before they are on the disk: an alarm cannot wait for its post roll."""

    def outcome(self, clip_id: str) -> Dropped | None:
        """Why a clip that was promised is not kept; None where it was kept or is on its way."""

    def request(self, machine: str) -> None:
        """Keep the machine's next window, pinned, because an operator asks for it; from any thread."""


class NoClips:
    """Where no clips are kept."""

    def outcome(self, clip_id: str) -> Dropped | None:
        """Nothing was promised."""
        return None

    def request(self, machine: str) -> None:
        """Nothing is kept."""
