"""What a rollout is halted by, and what it waits for; `rollouts.limits` in the catalogue."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Limits(BaseModel):
    """Limits of one rollout.

    Attributes:
        automatic: Whether it goes on by itself; it is halted by itself in any case.
        shadow_windows: Windows of each machine to be scored by both models before the new one may take over.
        percentages: Shares of the gateways to go through between the canaries and all.
        healthy_reports: Good reports of each gateway before the next stage.
        soak_minutes: Least time in a stage.
        silence_minutes: A gateway that has been silent for so long is not waited for, canaries excepted.
        min_windows: Windows before a gateway is judged by shares and means.
        max_error_share: Windows that could not be scored.
        max_latency_ratio: Time to a result over that before, medians; and computing of a window, means.
        latency_floor_s: A result within this time is never too late, whatever the ratio; for computing there is none.
        max_percentile_shift: Of the mean percentile among a machine's normals, in points, either way.
        max_exceedance_rise: Of the share of windows above the threshold.
        max_failed_gateways: Gateways that may refuse or leave the bundle before everything halts, canaries excepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    automatic: bool = True
    shadow_windows: Annotated[int, Field(ge=0, le=100_000)] = 60
    percentages: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=10)] = (10, 50)
    healthy_reports: Annotated[int, Field(ge=1, le=10_000)] = 5
    soak_minutes: Annotated[float, Field(ge=0, le=100_000)] = 60.0
    silence_minutes: Annotated[float, Field(ge=1, le=1_000_000)] = 30.0
    min_windows: Annotated[int, Field(ge=1, le=100_000)] = 30
    max_error_share: Share = 0.02
    max_latency_ratio: Annotated[float, Field(ge=1, le=1000)] = 2.0
    latency_floor_s: Annotated[float, Field(ge=0, le=60)] = 0.25
    max_percentile_shift: Annotated[float, Field(gt=0, le=100)] = 20.0
    max_exceedance_rise: Share = 0.10
    max_failed_gateways: Annotated[int, Field(ge=0, le=10_000)] = 1

    @field_validator("percentages")
    @classmethod
    def _rising(cls, percentages: tuple[int, ...]) -> tuple[int, ...]:
        if list(percentages) != sorted(set(percentages)):
            raise ValueError("percentages must rise, each once")
        return percentages
