"""A defect in a page: told on a page, with nothing of its inside, and logged."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.hub_site import HubSite
from training_hub.api.app import make_app

SECRET = "what nobody outside should read"


def _broken(site: HubSite) -> FastAPI:
    app = make_app(site.parts)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(SECRET)

    @app.get("/api/v1/broken")
    def broken_api() -> None:
        raise RuntimeError(SECRET)

    app.router.routes.insert(0, app.router.routes.pop())
    app.router.routes.insert(0, app.router.routes.pop())
    return app


@pytest.mark.parametrize("path", ["/broken", "/api/v1/broken"])
def test_it_is_told_without_its_inside(site: HubSite, path: str) -> None:
    client = TestClient(_broken(site), raise_server_exceptions=False)
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 500
    assert SECRET not in answer.text
    if path == "/broken":
        assert "<main" in answer.text
        assert "log says more" in answer.text


def test_the_server_still_logs_it(site: HubSite) -> None:
    client = TestClient(_broken(site))
    with pytest.raises(RuntimeError, match=SECRET):
        client.get("/broken", headers={"accept": "text/html"})
