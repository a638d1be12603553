"""Clips of the catalogue as features know them."""

from collections.abc import Iterable

from training_hub.catalogue.tables import Clip
from training_hub.features.store import FeatureKey


def key_of(clip: Clip) -> FeatureKey:
    """Where a clip's features belong."""
    return FeatureKey(clip.sha256, clip.machine.site, clip.machine.name, clip.heard_at.date())


def kinds_by_key(clips: Iterable[Clip]) -> dict[FeatureKey, str]:
    """Clips as `extract` takes them; the same sound heard twice is one."""
    return {key_of(clip): clip.kind for clip in clips}
