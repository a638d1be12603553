"""Removes what is older than the settings say, once a day."""

import threading
from collections.abc import Mapping
from datetime import timedelta

from training_hub.catalogue.types import utc_now
from training_hub.companions import Companion
from training_hub.parts import HubParts
from training_hub.retention.files import remove_files
from training_hub.retention.run import remove_old
from training_hub.serving.periodic import Periodic

_FIRST_S, _EVERY_S = 300.0, 86_400.0


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """Always; what has no limit it leaves alone."""
    del environ
    return Periodic(
        "the retention",
        lambda stop: remove_old(parts, utc_now(), stopped=stop.is_set, pause=stop.wait),
        first_s=_FIRST_S,
        every_s=_EVERY_S,
    )


def retention_of_files(parts: HubParts) -> Companion:
    """For a worker, which has a state directory of its own; the rows are the hub's to look after."""
    days = parts.settings.retention.cache_days

    def remove(stop: threading.Event) -> None:
        now = utc_now()
        before = now - timedelta(days=days)
        for count in remove_files(parts.state_dir, parts.database, before=before, now=now):
            parts.metrics.removed.labels("files").inc(count)
            if stop.is_set():
                return

    return Periodic("the retention of files", remove if days else _nothing, first_s=_FIRST_S, every_s=_EVERY_S)


def _nothing(stop: threading.Event) -> None:
    del stop
