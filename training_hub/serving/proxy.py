"""What a reverse proxy says of the client: believed only where the proxy itself is the one who speaks."""

import ipaddress
from collections.abc import Iterable
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from training_hub.accounts.certificate import STATE_KEY, from_header


class TrustedProxy:
    """Takes address, scheme and certificate of the client from the headers of a trusted proxy.

    Args:
        app: The app.
        proxies: Addresses or networks of the proxies.
        certificate_header: In which they pass the client's certificate; None: they pass none.
    """

    def __init__(self, app: ASGIApp, *, proxies: Iterable[str], certificate_header: str | None) -> None:
        proxies = list(proxies)
        self._networks = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._certificate_header = certificate_header
        self._app = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), trusted_hosts=proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and self._certificate_header is not None and self._is_proxy(scope):
            value = Headers(scope=scope).get(self._certificate_header)
            sha256 = None if value is None else from_header(value)
            if sha256 is not None:
                scope.setdefault("state", {})[STATE_KEY] = sha256
        await self._app(scope, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        try:
            peer = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(peer in network for network in self._networks)
