"""The kind `embedding_map`: clips laid out on a plane by UMAP (L. McInnes, J. Healy, J. Melville, 2018)."""

from typing import Any

from training_hub.jobs.context import JobContext

KIND = "embedding_map"
OWN_PROCESS = True
_SEED = 1
_FEWEST = 4


def run(context: JobContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Lay out the latest clips heard by `parameters["bundle"]`.

    Returns:
        `ids` and `plane`, a pair of numbers for each.
    """
    import umap  # noqa: PLC0415  # an extra, and slow to import

    from training_hub.jobs.errors import JobError  # noqa: PLC0415
    from training_hub.web.queries.embeddings import MOST_UMAP, embedded_clips  # noqa: PLC0415

    context.progress(0.1, "reading embeddings")
    with context.parts.database.transaction(writes=False) as session:
        found = embedded_clips(session, str(parameters["bundle"]), MOST_UMAP)
    if len(found.ids) < _FEWEST:
        raise JobError(f"{len(found.ids)} clips have an embedding by this bundle; a map needs at least {_FEWEST}")
    context.progress(0.2, f"laying out {len(found.ids)} clips")
    neighbours = min(15, len(found.ids) - 1)
    mapper = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=_SEED, init="random", n_jobs=1)
    plane = mapper.fit_transform(found.vectors)
    return {"ids": found.ids, "plane": [[round(float(x), 4), round(float(y), 4)] for x, y in plane]}
