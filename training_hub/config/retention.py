"""`[retention]`: how long the hub keeps what grows by itself."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from edge_agent.settings.base import InconsistencyError, Section

LEAST_EVENTS_DAYS = 7
_Days = Annotated[int, Field(ge=0, le=36_500)]


class RetentionSection(Section):
    """How long the hub keeps what grows by itself, in days since it came; 0 keeps it for ever. Looked after daily."""

    events_days: _Days = Field(
        default=30,
        description="Results, health and states of gateways, from 7 days up. Machines' days, alarms and their events "
        "stay, and results around alarms and labelled clips.",
    )
    jobs_days: _Days = Field(default=365, description="Jobs that have ended, unless a training names them.")
    audit_days: _Days = Field(default=0, description="Entries of the audit log.")
    cache_days: _Days = Field(
        default=30,
        description="Files of the state directory that are made again where they are wanted: fitted profiles, unpacked "
        "bundles; and the work of trainings that were ended.",
    )
    new_clips_days: _Days = Field(
        default=0,
        description="Clips of gateways that nobody labelled and no alarm names; they are deleted, as by a person, and "
        "can be restored until they are purged.",
    )
    deleted_clips_days: _Days = Field(
        default=0, description="Deleted clips, after which they are purged; 0: by hand alone."
    )

    @model_validator(mode="after")
    def _events_outlast_what_gateways_send_again(self) -> Self:
        if 0 < self.events_days < LEAST_EVENTS_DAYS:
            raise InconsistencyError(
                (("events_days",), f"must be 0, or {LEAST_EVENTS_DAYS} or more: gateways send again what is younger")
            )
        return self
