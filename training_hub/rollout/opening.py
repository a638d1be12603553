"""The signed metadata of a hub, as its settings place it."""

from datetime import timedelta

from training_hub.parts import HubParts
from training_hub.rollout.repository import Lives, TufRepository


def repository_of(parts: HubParts) -> TufRepository:
    """The hub's repository; any number of these may be open."""
    section = parts.settings.rollout
    lives = Lives(timedelta(hours=section.timestamp_hours), timedelta(days=section.snapshot_days))
    return TufRepository(parts.settings.server.state_dir / "tuf", lives)
