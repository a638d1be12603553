"""Removes what is older than the settings say, once a day."""

from collections.abc import Mapping

from training_hub.catalogue.types import utc_now
from training_hub.companions import Companion
from training_hub.parts import HubParts
from training_hub.retention.run import remove_old
from training_hub.serving.periodic import Periodic


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """Always; what has no limit it leaves alone."""
    del environ
    return Periodic(
        "the retention",
        lambda stop: remove_old(parts, utc_now(), stopped=stop.is_set, pause=stop.wait),
        first_s=300.0,
        every_s=86_400.0,
    )
