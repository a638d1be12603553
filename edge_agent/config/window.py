"""`[window]`: the stretch of sound that one result speaks of."""

from typing import Self

from pydantic import Field, model_validator

from edge_agent.settings.base import InconsistencyError, Section


class WindowSection(Section):
    """The stretch of sound that one result speaks of."""

    window_s: float = Field(default=10.0, ge=2.048, le=60.0, description="Length of a window, in seconds.")
    hop_s: float = Field(
        default=10.0, ge=0.5, le=60.0, description="From one window's start to the next; below window_s they overlap."
    )
    min_coverage: float = Field(
        default=0.8, ge=0.1, le=1.0, description="Share of a window that must have been captured for it to be scored."
    )

    @model_validator(mode="after")
    def _windows_leave_no_hole(self) -> Self:
        if self.hop_s > self.window_s:
            raise InconsistencyError(
                (("hop_s",), f"must be at most window_s ({self.window_s}), not {self.hop_s}: sound would go unheard")
            )
        return self
