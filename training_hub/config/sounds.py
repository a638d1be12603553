"""`[sounds]`: what people may upload, and which bundle listens before any was approved."""

from pathlib import Path

from pydantic import Field

import edge_agent
from edge_agent.settings.base import FilePath, Section


class SoundsSection(Section):
    """What people may upload, and which bundle listens before any was approved."""

    max_upload_bytes: int = Field(
        default=64 << 20, ge=1024, le=1 << 31, description="Largest file that may be tested or added."
    )
    max_duration_s: float = Field(
        default=1800.0, ge=10.0, le=14_400.0, description="Longest sound that may be added; of a tested one 10 s count."
    )
    decode_timeout_s: float = Field(
        default=30.0, ge=1.0, le=600.0, description="Longest that decoding a file may take, in a process of its own."
    )
    max_decoders: int = Field(default=2, ge=1, le=64, description="Files that are decoded at the same time.")
    profile_clips: int = Field(
        default=60,
        ge=3,
        le=2000,
        description="Most normal clips that a machine's profile is fitted on when a sound is tested.",
    )
    shipped_bundle: FilePath | None = Field(
        default=None,
        description="Directory of the bundle that is in use until another is approved; unset: the one that ships.",
        examples=["/opt/models/default"],
    )

    def resolve_shipped_bundle(self) -> Path:
        """Directory of the shipped bundle."""
        return self.shipped_bundle or Path(edge_agent.__file__).parent.parent / "models" / "default"
