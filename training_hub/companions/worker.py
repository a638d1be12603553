"""Does jobs beside the web server."""

from collections.abc import Mapping

from training_hub.companions import Companion
from training_hub.jobs.embedded import EmbeddedWorker
from training_hub.parts import HubParts


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """As many at a time as `jobs.embedded_workers` says; none for 0."""
    del environ
    return EmbeddedWorker(parts) if parts.settings.jobs.embedded_workers else None
