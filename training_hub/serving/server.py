"""uvicorn, as the hub runs it."""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from edge_agent.observe.systemd import SystemdNotifier
from training_hub.config.server import ServerSection
from training_hub.errors import HubError
from training_hub.serving.tls_protocol import CertificateProtocol

_GRACE_S = 20
_KEEP_ALIVE_S = 75
_MAX_CONNECTIONS = 1000


class ServingError(HubError):
    """The hub cannot listen; the message names the address and the mend."""


def listen(section: ServerSection) -> socket.socket:
    """A socket on the address of the settings.

    Raises:
        ServingError: It cannot be listened on.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(section.host, section.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise ServingError(
            f"cannot listen on {section.host}: {error}; set server.host to one of this computer"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ServingError(
            f"cannot listen on {section.host}:{section.port}: {error.strerror}; free the port or set server.port"
        ) from error
    return listener


class HubServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, and tells the service manager how it does.

    Args:
        app: What to serve.
        section: Where, and with which certificates.
        environ: The environment, for systemd.
        ready: Called once it answers, with the address.

    Raises:
        ServingError: A certificate cannot be used.
    """

    def __init__(
        self, app: FastAPI, section: ServerSection, environ: Mapping[str, str], ready: Callable[[str], None]
    ) -> None:
        tls = section.tls
        try:
            config = uvicorn.Config(
                app,
                loop="uvloop",
                http=CertificateProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
                ssl_certfile=_text(tls.cert_file, environ),
                ssl_keyfile=_text(tls.key_file, environ),
                ssl_ca_certs=_text(tls.client_ca_file, environ),
                ssl_cert_reqs=ssl.CERT_NONE if tls.client_ca_file is None else ssl.CERT_OPTIONAL,
            )
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise ServingError(f"the TLS files of [server.tls] cannot be used: {error}") from error
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        super().__init__(config)
        self._notifier = SystemdNotifier.from_environment(environ, pid=os.getpid())
        self._ready = ready
        self._pinging: asyncio.Task[None] | None = None

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until a signal asks for the end; returns once everything has ended in order."""
        # uvicorn raises the signal again when it has ended: with handlers of ours the exit status stays 0
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start what runs beside, listen, and say so."""
        await super().startup(sockets)
        if not self.started or not sockets:
            return
        host, port = sockets[0].getsockname()[:2]
        scheme = "https" if self.config.ssl is not None else "http"
        address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        self._ready(address)
        self._notifier.ready(address)
        if self._notifier.watchdog_s is not None:
            self._pinging = asyncio.create_task(self._ping(self._notifier.watchdog_s / 3))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, then end."""
        self._notifier.stopping()
        if self._pinging is not None:
            self._pinging.cancel()
        await super().shutdown(sockets)

    async def _ping(self, every_s: float) -> None:
        while True:
            self._notifier.watchdog()
            await asyncio.sleep(every_s)


def _text(path: Path | None, environ: Mapping[str, str]) -> str | None:
    """A file, or the systemd credential of that name."""
    if path is None:
        return None
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / path
    return str(credential if len(path.parts) == 1 and credential.is_file() else path)
