"""The kind `features`: log-mel frames of catalogued clips, computed ahead of a retraining."""

import os
from typing import Any

from training_hub.jobs.context import JobContext

KIND = "features"


def run(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Compute what is missing. Parameter: `datasets`, a list of words; all clips without it."""
    from sqlalchemy import select  # noqa: PLC0415  # kinds are discovered by all that enqueue

    from training_hub.catalogue.tables import Clip  # noqa: PLC0415
    from training_hub.compute.opening import open_compute  # noqa: PLC0415
    from training_hub.features.catalogued import kinds_by_key  # noqa: PLC0415
    from training_hub.features.extract import extract  # noqa: PLC0415
    from training_hub.features.opening import open_features  # noqa: PLC0415

    parts = context.parts
    wanted = select(Clip).where(Clip.deleted_at.is_(None)).order_by(Clip.id)
    if parameters.get("datasets"):
        wanted = wanted.where(Clip.dataset.in_([str(word) for word in parameters["datasets"]]))
    with parts.database.transaction(writes=False) as session:
        clips = kinds_by_key(session.scalars(wanted))
    with open_compute(parts.settings.compute) as compute:
        store = open_features(parts.settings, os.environ)
        extracted = extract(clips, parts.objects, store, compute, context.progress)
    return {"kept": extracted.kept, "computed": extracted.computed, "flawed": dict(extracted.flawed)}
