"""The app: every family of requests under `/api/v1`."""

from fastapi import FastAPI

import edge_agent
from edge_agent.sync.wire import API_PREFIX
from training_hub.api.routes import discover
from training_hub.parts import HubParts


def make_app(parts: HubParts) -> FastAPI:
    """The hub as an ASGI app."""
    app = FastAPI(
        title="training-hub",
        version=edge_agent.__version__,
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    for router in discover():
        app.include_router(router, prefix=API_PREFIX)
    return app
