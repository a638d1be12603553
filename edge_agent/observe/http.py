"""The agent's HTTP endpoints: /metrics, /livez, /readyz and /healthz."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.observe.connections import MAX_CONNECTIONS, PromptProtocol
from edge_agent.observe.errors import ObserveError
from edge_agent.observe.exposition import form_for, packed, takes_gzip
from edge_agent.observe.health import Check, HealthReport
from edge_agent.observe.threaded import in_thread

_BACKLOG = 128
_IDLE_TIMEOUT_S = 10
_GONE_AFTER_MS = 30_000
_NO_STORE = {"Cache-Control": "no-store"}


def endpoints(registry: CollectorRegistry, report: Callable[[], HealthReport]) -> list[BaseRoute]:
    """The routes.

    Args:
        registry: What /metrics shows, in OpenMetrics or the Prometheus text format as the caller accepts.
        report: The health of this moment.
    """

    @in_thread
    def metrics(request: Request) -> Response:
        form = form_for(",".join(request.headers.getlist("accept")))
        body = form.write(registry)
        headers = {"Content-Type": form.content_type, "Vary": "Accept, Accept-Encoding", **_NO_STORE}
        if takes_gzip(",".join(request.headers.getlist("accept-encoding"))):
            body, headers = packed(body), {**headers, "Content-Encoding": "gzip"}
        return Response(body, headers=headers)

    @in_thread
    def livez(_request: Request) -> Response:
        return _answer(report().live)

    @in_thread
    def readyz(_request: Request) -> Response:
        return _answer(report().ready)

    @in_thread
    def healthz(_request: Request) -> Response:
        health = report()
        status = 200 if health.live.ok and health.ready.ok else 503
        return JSONResponse({"state": health.state.value, **asdict(health)}, status, headers=_NO_STORE)

    return [
        Route("/metrics", metrics),
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/healthz", healthz),
    ]


def _answer(check: Check) -> Response:
    text = "ok\n" if check.ok else "".join(f"{reason}\n" for reason in check.reasons)
    return PlainTextResponse(text, 200 if check.ok else 503, headers=_NO_STORE)


class HttpServer:
    """Serves an ASGI application from a thread of its own.

    Args:
        app: What to serve.
        host: Address to listen on; the loopback unless an operator says otherwise.
        port: 0 for any free one.

    Raises:
        ObserveError: The address cannot be listened on.
    """

    def __init__(self, app: Starlette, *, host: str = "127.0.0.1", port: int = 9105) -> None:
        self._socket = _listen(host, port)
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=PromptProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # what a stranger sends is no news: a line each would fill the log at his will
            access_log=False,
            date_header=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS + 1,
            timeout_keep_alive=_IDLE_TIMEOUT_S,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config, app)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.server_state.connections)

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Stop answering; True when the thread has ended."""
        self._server.leave()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._socket.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class _Server(uvicorn.Server):
    """Waits for requests and for its end, where uvicorn's own looks ten times a second whether that has come.

    What it does besides at each look, the date of its headers and a limit of requests, is not asked for here.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Event | None = None

    async def main_loop(self) -> None:
        """Serve until `leave`."""
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        self._app.state.leaving = self._leaving  # answers that go on without an end watch it
        if not self.should_exit:
            await self._leaving.wait()

    def leave(self) -> None:
        """End, from any thread."""
        self.should_exit = True
        if self._loop is not None and self._leaving is not None:
            self._loop.call_soon_threadsafe(self._leaving.set)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise ObserveError(f"cannot listen on {host}:{port}: {error}; set a host of this computer") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # a phone that left without a word holds its stream no longer than that
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_AFTER_MS)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ObserveError(
            f"cannot listen on {host}:{port}: {error.strerror}; free the port or set another (0 for any free one)"
        ) from error
    return listener
