"""Who may ask: a token where the network can reach the port, and nobody's page but ours may act.

Four threats are met here: strangers in the network (the token, as a bearer header for machines or a session cookie for
browsers), another site's page in the same browser that posts to us (origin and content type are checked), such a page
that resolves its own name to this computer, and a proxy that lets the network in where no token is asked for (the host,
and what a proxy adds, are checked while there is none).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
from collections import deque
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "edge_agent_session"
LOGIN: Final = "/login"
_OPEN: Final = "/static/"
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SESSION_S: Final = 12 * 3600.0
_MAX_SESSIONS: Final = 64
_MAX_FAILURES: Final = 10
_FAILURES_OVER_S: Final = 60.0
_MAX_CALLERS: Final = 256

HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Sent with every answer: nothing is loaded from or shown in another site."""


class Sessions:
    """Browsers that gave the token; in memory, so a restart asks again.

    Args:
        token: The token.
        now_s: Monotonic time.
    """

    def __init__(self, token: str, now_s: Callable[[], float]) -> None:
        self._token = token.encode()
        self._now_s = now_s
        self._lock = threading.Lock()
        self._until_s: dict[str, float] = {}
        self._failures_s: dict[str, deque[float]] = {}

    def open(self, given: str, caller: str = "") -> str | None:
        """A new session for who knows the token; None for a wrong one, or after ten wrong ones of a caller in a minute.

        Args:
            given: What is said to be the token.
            caller: Address of who gives it. Others are not held up by its guessing.
        """
        with self._lock:
            now_s = self._now_s()
            if not self._is_right(given.encode(errors="replace"), caller, now_s):
                return None
            self._until_s = {name: until for name, until in self._until_s.items() if until > now_s}
            while len(self._until_s) >= _MAX_SESSIONS:
                del self._until_s[min(self._until_s, key=lambda name: self._until_s[name])]
            name = secrets.token_urlsafe(32)
            self._until_s[name] = now_s + _SESSION_S
            return name

    def knows(self, name: str) -> bool:
        """Whether a session is open."""
        with self._lock:
            return self._until_s.get(name, 0.0) > self._now_s()

    def bearer(self, header: bytes, caller: str = "") -> bool:
        """Whether an `Authorization` header carries the token; compared in constant time, guessed at as rarely."""
        scheme, _, given = header.partition(b" ")
        if scheme.lower() != b"bearer" or not given:
            return False
        with self._lock:
            return self._is_right(given.strip(), caller, self._now_s())

    def _is_right(self, given: bytes, caller: str, now_s: float) -> bool:
        """With the lock held. The right token, too, is refused while its caller has guessed too often."""
        failures = self._failures_s.get(caller)
        while failures and now_s - failures[0] >= _FAILURES_OVER_S:
            failures.popleft()
        if failures and len(failures) >= _MAX_FAILURES:
            return False
        if hmac.compare_digest(given, self._token):
            return True
        if failures is None:
            while len(self._failures_s) >= _MAX_CALLERS:
                del self._failures_s[next(iter(self._failures_s))]
            failures = self._failures_s[caller] = deque(maxlen=_MAX_FAILURES)
        failures.append(now_s)
        return False


class Gate:
    """ASGI middleware that lets through who may, and adds the headers of safety to every answer."""

    def __init__(self, app: ASGIApp, sessions: Sessions | None) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        request = Request(scope)
        refusal = self._refuse(request)
        if refusal is not None:
            await refusal(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    def _refuse(self, request: Request) -> Response | None:
        path: str = request.scope["path"]  # not of the URL, of which the caller's own words are a part
        if self._sessions is None:
            if _host(request.headers.get("host", "")) not in _LOOPBACK:
                return PlainTextResponse("this port answers on the loopback only\n", 421)
            if any(name in request.headers for name in _FORWARDED):
                return PlainTextResponse(
                    "a proxy may forward to this port only with a token: set http.token_file\n", 421
                )
        elif path != LOGIN and not path.startswith(_OPEN) and not self._may(request, self._sessions):
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return RedirectResponse(LOGIN, 303)
            return PlainTextResponse(
                "send the token: Authorization: Bearer ...\n",
                401,
                headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
            )
        if request.method not in {"GET", "HEAD"} and not _ours(request):
            return JSONResponse({"error": "only this page may act here"}, 403)
        return None

    def _may(self, request: Request, sessions: Sessions) -> bool:
        if sessions.bearer(request.headers.get("authorization", "").encode("latin-1"), caller_of(request)):
            return True
        try:
            cookie = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and sessions.knows(cookie.value)


def _ours(request: Request) -> bool:
    """A form of another site can send neither JSON nor our origin."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return False
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    except ValueError:
        return False


def caller_of(request: Request) -> str:
    """The address that the connection came from; never what a header says. An IPv6 network counts as one caller."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))


def _host(header: str) -> str:
    """The name in a `Host` header; empty where there is none that can be read."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
