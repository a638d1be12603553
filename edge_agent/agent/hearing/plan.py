"""What of a source is heard, and by whom."""

from dataclasses import dataclass

from edge_agent.pipeline.listener import Listener


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """Which channel of a source is heard, and who listens; `calibration_db` is full scale in dB SPL, where known."""

    index: int
    listener: Listener
    calibration_db: float | None = None


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """The channels of a source that are heard.

    Attributes:
        channels: The channels.
        stamped_by_arrival: Whether the time of a sample is when it arrives; in a recording, or at another pace than
            real time, it follows from the count alone.
    """

    channels: tuple[ChannelPlan, ...]
    stamped_by_arrival: bool = True
