"""The app: every family of requests under `/api/v1`, the pages, and the probes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import edge_agent
from edge_agent.sync.wire import API_PREFIX
from training_hub.accounts.gate import Gate
from training_hub.accounts.oidc import OidcProvider
from training_hub.api.direct import DirectAnswers
from training_hub.api.failures import add_failures
from training_hub.api.problems import EVERYWHERE, add_problems
from training_hub.api.routes import discover
from training_hub.api.warm import warm_up
from training_hub.companions import Companion
from training_hub.parts import HubParts
from training_hub.serving import probes
from training_hub.serving.bodies import BodyLimit
from training_hub.serving.companions import Companions
from training_hub.serving.headers import SecurityHeaders
from training_hub.serving.metrics import Measured
from training_hub.serving.proxy import TrustedProxy
from training_hub.sounds.desk import SoundDesk
from training_hub.web.site import mount_site

_MIB = 1 << 20


def make_app(
    parts: HubParts, environ: Mapping[str, str] | None = None, companions: Sequence[Companion] = ()
) -> FastAPI:
    """The hub as an ASGI app.

    Args:
        parts: Its settings, database and store.
        environ: The environment, for secrets given as systemd's credentials.
        companions: What runs beside it, from the app's start to its end.
    """
    beside = Companions(companions)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(warm_up, parts)
        beside.start()
        try:
            yield
        finally:
            await run_in_threadpool(beside.stop)

    app = FastAPI(
        title="training-hub",
        version=edge_agent.__version__,
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.state.environ = dict(environ or {})
    app.state.companions = beside
    oidc = parts.settings.accounts.oidc
    app.state.oidc = None if oidc.issuer is None else OidcProvider(oidc, environ or {})
    app.state.gate = Gate(parts.database, parts.settings)
    app.state.sounds = SoundDesk(parts)
    add_failures(app)
    add_problems(app)
    app.include_router(probes.router)
    routers = tuple(discover())
    for router in routers:
        app.include_router(router, prefix=API_PREFIX, responses=EVERYWHERE)
    mount_site(app, parts)
    server = parts.settings.server
    # the last one added sees a request first
    app.add_middleware(DirectAnswers, routers=routers, prefix=API_PREFIX, handlers=app.exception_handlers)
    app.add_middleware(BodyLimit, max_bytes=server.max_body_mib * _MIB)
    app.add_middleware(Measured, metrics=parts.metrics)
    app.add_middleware(SecurityHeaders)
    if server.behind_proxy:
        app.add_middleware(
            TrustedProxy, proxies=server.trusted_proxies, certificate_header=server.client_certificate_header
        )
    return app
