"""The map that UMAP lays out, from the wish for one to its points."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from tests.support.browser import needs_chromium
from tests.support.hub_site import HubSite
from training_hub.catalogue.tables import Job
from training_hub.jobs.worker import Worker
from training_hub.web.queries.embeddings import UMAP_KIND, bundle_choices

pytest.importorskip("umap", reason="needs the umap extra")

pytestmark = [pytest.mark.train, needs_chromium]


@pytest.mark.timeout(600)
def test_an_operator_has_a_map_laid_out(site: HubSite) -> None:
    with site.parts.database.transaction(writes=False) as session:
        bundle = bundle_choices(session)[0]
    with site.browser("otto") as page:
        answer = page.request.post(
            f"{site.url}/map/umap",
            form={"bundle": bundle.sha256},
            headers={"X-CSRF-Token": _token(page.context.cookies())},
        )
        assert answer.ok, answer.text()
        with site.parts.database.transaction(writes=False) as session:
            job_id = session.scalars(select(Job.id).where(Job.kind == UMAP_KIND).order_by(Job.id.desc())).first()
        assert job_id is not None
        Worker(site.parts, slots=1).run_one(job_id)
        with site.parts.database.transaction(writes=False) as session:
            job = session.get_one(Job, job_id)
            assert job.state == "done", job.message
        points = page.request.get(f"{site.url}/map/points", params={"bundle": bundle.sha256, "by": "umap"}).json()
    assert len(points["ids"]) == len(set(points["ids"])) == bundle.clips
    plane = np.array([points["x"], points["y"]]).T
    assert np.isfinite(plane).all()
    assert np.ptp(plane, axis=0).min() > 0.1  # not all in one place


def _token(cookies: list[dict[str, object]]) -> str:
    return next(str(cookie["value"]) for cookie in cookies if cookie["name"] == "training_hub_csrf")
