"""`[detection]`: when windows become an alarm."""

from typing import Self

from pydantic import Field, model_validator

from edge_agent.settings.base import InconsistencyError, Section


class DetectionSection(Section):
    """When windows become an alarm."""

    false_alarms_per_week: float = Field(
        default=1.0, ge=0.001, le=1000.0, description="Budget of false alarms per machine and week; sets the threshold."
    )
    raise_after: int = Field(default=6, ge=1, le=1000, description="Anomalous windows that raise an alarm ...")
    raise_within: int = Field(default=10, ge=1, le=1000, description="... among this many windows in a row.")
    clear_after: int = Field(default=6, ge=1, le=1000, description="Normal windows in a row that end an alarm.")
    hysteresis: float = Field(
        default=0.1, ge=0.0, le=0.9, description="Share by which a score must fall below the threshold to be normal."
    )

    background_margin: bool = Field(
        default=True,
        description="Whether the threshold holds amid sounds that commissioning did not hear, up to 12 dB below the "
        "machine's own; without it faint faults are found sooner where no other sound ever comes.",
    )

    @model_validator(mode="after")
    def _can_be_raised(self) -> Self:
        if self.raise_after > self.raise_within:
            raise InconsistencyError(
                (("raise_after",), f"must be at most raise_within ({self.raise_within}), not {self.raise_after}")
            )
        return self
