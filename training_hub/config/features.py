"""`[features]`: log-mel frames of catalogued clips, kept so that they are computed once."""

from typing import Literal

from pydantic import Field

from edge_agent.settings.base import Section


class FeaturesSection(Section):
    """Log-mel frames of catalogued clips, kept so that they are computed once."""

    url: str | None = Field(
        default=None,
        description="file:///directory or s3://bucket/prefix; unset: `features` beside the objects.",
        examples=["file:///srv/hub/features"],
    )
    precision: Literal["float32", "float16"] = Field(
        default="float32",
        description="float32 scores as the agent does; float16 halves the space and is off by up to 0.03 dB.",
    )
