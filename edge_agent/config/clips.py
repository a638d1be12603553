"""`[clips]`: which sound is kept on this gateway, and how much of it."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from edge_agent.resources import resource
from edge_agent.settings.base import FilePath, Section


class ClipsSection(Section):
    """Which sound is kept on this gateway, and how much of it."""

    enabled: bool = Field(
        default=True, description="Keep clips; without them there is nothing to listen to or learn from."
    )
    keep: Literal["audio", "log_mel"] = Field(
        default="audio", description="FLAC, or for sites that keep no audio log-mel frames alone."
    )
    speech: Literal["drop", "mask", "off"] = Field(
        default="drop",
        description="What becomes of a clip in which somebody may speak: dropped, silenced there, or kept unscreened.",
    )
    detector: FilePath | None = Field(
        default=None,
        description="Directory of the speech detector. Unset: the shipped one.",
        examples=["/etc/edge-agent/speech"],
    )
    max_bytes: int = Field(
        default=4 << 30,
        ge=1 << 20,
        le=1 << 44,
        description="Most that all clips take; beyond it the least worth go.",
    )
    min_free_bytes: int = Field(
        default=2 << 30, ge=0, le=1 << 44, description="Room that the disk must still have after a clip is written."
    )
    pre_roll_s: float = Field(
        default=20.0, ge=0.0, le=40.0, description="Sound kept from before the window of an alarm or a request."
    )
    post_roll_s: float = Field(default=10.0, ge=0.0, le=30.0, description="... and from after it.")
    alarm_per_episode: int = Field(
        default=4, ge=0, le=100, description="Most clips of one alarm: the first, and each time its score has doubled."
    )
    uncertain_per_day: int = Field(
        default=8, ge=0, le=1000, description="Most windows near the threshold, per machine and day."
    )
    uncertain_margin: float = Field(
        default=0.2, ge=0.0, le=1.0, description="How near to the threshold, as a share of it."
    )
    novel_per_day: int = Field(
        default=8, ge=0, le=1000, description="Most windows unlike every one kept, per machine and day."
    )
    novel_distance: float = Field(
        default=0.15, ge=0.001, le=1.0, description="Cosine distance of embeddings below which two windows are alike."
    )
    random_per_day: int = Field(
        default=6, ge=0, le=1000, description="Random windows per machine and day, one of each equal part of the day."
    )

    def resolve_detector(self) -> Path:
        """Directory of the speech detector."""
        return self.detector or resource("models/speech")
