"""What a channel gives to whoever listens in."""

from dataclasses import dataclass

from edge_agent.detection.features import WindowFeatures
from edge_agent.signal.level import LevelReading


@dataclass(frozen=True, slots=True)
class Level:
    """The channel's level over about half a second.

    Attributes:
        rms_dbfs: Level; None for digital silence.
        peak_dbfs: Highest sample; None for digital silence.
        clipped: Samples at full scale.
    """

    rms_dbfs: float | None
    peak_dbfs: float | None
    clipped: int


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How the channel's source does: `starting`, `up`, `degraded` or `down`, and why."""

    state: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class HeardWindow:
    """One window.

    Attributes:
        start_ns: Wall time of its first sample, nanoseconds since 1970.
        start_s: The same since the stream's first sample, seconds.
        duration_s: Length, seconds.
        coverage: Share of its samples that were not lost.
        rejected: Why it cannot be scored; None if it can.
        features: What detectors see of it.
        level: Level and condition of the input.
    """

    start_ns: int
    start_s: float
    duration_s: float
    coverage: float
    rejected: str | None
    features: WindowFeatures
    level: LevelReading | None


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The running agent uses other profiles of these machines from now on."""

    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class InAlarm:
    """The machine, or its input, went into alarm: nothing that was heard may be learnt."""

    machine: str

    def __str__(self) -> str:
        """Why not, for a person."""
        return f"{self.machine} is in alarm: what it sounds like now must not become its normal"


Item = Level | SourceStatus | HeardWindow | TakenOver | Ended
