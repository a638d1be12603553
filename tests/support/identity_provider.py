"""A small OpenID Connect provider on the loopback: discovery, authorisation with PKCE, tokens, keys."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.broker import wait_until

CLIENT_ID = "training-hub"
CLIENT_SECRET = "a secret that the hub has there"


@dataclass
class IdentityProvider:
    """Logs everybody in as the person that a test names.

    Attributes:
        issuer: Where it is.
        person: Claims of whoever logs in next.
        spoil: Claims that a token gets wrong, over all else.
    """

    issuer: str
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "1", "preferred_username": "ida", "groups": ["crew"]}
    )
    spoil: dict[str, Any] = field(default_factory=dict)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)}))

    def change_key(self) -> None:
        """Sign with another key from now on."""
        self._key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def app(self) -> Starlette:
        """As ASGI."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._about),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    async def _about(self, _request: Request) -> Response:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return JSONResponse({"issuer": self.issuer} | {key: f"{self.issuer}/{end}" for key, end in ends.items()})

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self._key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if (
            asked["client_id"] != CLIENT_ID
            or asked["response_type"] != "code"
            or asked["code_challenge_method"] != "S256"
        ):
            return Response("no", 400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def _token(self, request: Request) -> Response:
        said = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(said.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") not in (f"Basic {basic}", f"Basic {_escaped()}"):
            return JSONResponse({"error": "invalid_client"}, 401)
        if asked is None or said["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(said["code_verifier"].encode()).digest()).rstrip(b"=")
        if challenge.decode() != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims | self.person | self.spoil, self._key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})


def _escaped() -> str:
    from urllib.parse import quote

    return base64.b64encode(f"{quote(CLIENT_ID)}:{quote(CLIENT_SECRET)}".encode()).decode()


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """A provider that runs for the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        provider = IdentityProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started, 30, "the identity provider")
            yield provider
        finally:
            server.should_exit = True
            thread.join(30)
