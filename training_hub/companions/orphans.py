"""Removes files of clips whose record never came, once an hour."""

from collections.abc import Mapping

from training_hub.catalogue.types import utc_now
from training_hub.companions import Companion
from training_hub.intake.orphans import collect_orphans
from training_hub.parts import HubParts
from training_hub.serving.periodic import Periodic


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """Always."""
    del environ
    return Periodic(
        "the collector of orphans", lambda _stop: collect_orphans(parts, utc_now()), first_s=60.0, every_s=3600.0
    )
