"""`[rollout]`: how long the hub's own signatures hold, and how often rollouts are looked after."""

from pydantic import Field

from edge_agent.settings.base import Section


class RolloutSection(Section):
    """How long the hub's own signatures hold, and how often rollouts are looked after."""

    timestamp_hours: float = Field(
        default=24.0,
        ge=1.0,
        le=720.0,
        description="Life of the timestamp: a hub that is away for longer cannot hold an old state up as the newest.",
    )
    snapshot_days: float = Field(default=7.0, ge=1.0, le=90.0, description="Life of the snapshot.")
    report_s: float = Field(
        default=60.0, ge=1.0, le=3600.0, description="Time between the reports that gateways are asked for."
    )
    look_after_s: float = Field(
        default=30.0, ge=1.0, le=3600.0, description="Time between looks at signatures that age and stages that end."
    )
