"""`[mqtt.commands]`: what may be asked of the gateway over the broker."""

from typing import Literal

from pydantic import Field

from edge_agent.settings.base import Section

Verb = Literal["acknowledge", "shelve", "unshelve", "out_of_service", "in_service", "label", "reload"]


class CommandsSection(Section):
    """What may be asked of the gateway over the broker; who may ask is for the broker's access list to say."""

    allowed: tuple[Verb, ...] = Field(
        default=("acknowledge", "shelve", "unshelve", "label"),
        strict=False,
        max_length=16,
        description="What is carried out, [] for nothing; what stops alarms for good, and reload, only on demand.",
    )
    max_age_s: int = Field(default=300, ge=5, le=86_400, description="Commands older than this are refused.")
