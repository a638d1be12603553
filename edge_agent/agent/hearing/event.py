"""A finished window, as the rest of the agent is told of it."""

from dataclasses import dataclass

from edge_agent.pipeline.listener import Heard
from edge_agent.pipeline.policy import Unscorable
from edge_agent.pipeline.window import AnalysedWindow


@dataclass(frozen=True, slots=True)
class WindowEvent:
    """One finished window: heard, or rejected with the reason.

    Attributes:
        source_id: Where it came from.
        channel: Index of the channel in the source.
        window: The window.
        heard: What was made of it; None where it was rejected.
        rejected: Why it was not scored.
        fault: What the model or the scoring failed of, where `rejected` says so.
        start_ns, end_ns: Wall time of its first and after its last sample, by the sample clock.
        calibration_db: dB SPL of full scale at this channel, where known.
    """

    source_id: str
    channel: int
    window: AnalysedWindow
    heard: Heard | None
    rejected: Unscorable | None
    start_ns: int
    end_ns: int
    calibration_db: float | None = None
    fault: str = ""

    @property
    def level_dbfs(self) -> float | None:
        """Level of the window; None for silence and where only log-mel frames exist."""
        return None if self.window.level is None else self.window.level.rms_dbfs

    @property
    def level_db_spl(self) -> float | None:
        """Sound pressure level, where the channel is calibrated."""
        level = self.level_dbfs
        return None if level is None or self.calibration_db is None else level + self.calibration_db
