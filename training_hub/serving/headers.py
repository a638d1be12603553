"""Headers that keep a browser from being used against its user, on every answer."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""For what is no page; pages say their own (`training_hub.web.policy`)."""

_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_ENCRYPTED = {**_ALWAYS, "Strict-Transport-Security": "max-age=31536000"}


def _raw(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_BY_SCHEME = {"https": _raw(_ENCRYPTED)}
_OTHERWISE = _raw(_ALWAYS)


class SecurityHeaders:
    """Adds what an answer does not say itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                names = {bytes(name).lower() for name, _ in said}
                ours = _BY_SCHEME.get(scope["scheme"], _OTHERWISE)
                message["headers"] = said + [header for header in ours if header[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers)
