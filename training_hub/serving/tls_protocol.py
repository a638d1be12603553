"""uvicorn's protocol, with the client's certificate, a bound on what is no body, and answers in one packet."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from training_hub.accounts.certificate import STATE_KEY, certificate_sha256
from training_hub.serving.corked import Corked

MAX_HEAD_BYTES = 64 << 10
"""Of a request's line and headers, and of whatever else comes that is no body."""


class CertificateProtocol(HttpToolsProtocol):
    """Puts the SHA-256 of the client's certificate, which TLS has verified, into the state of each request.

    httptools keeps a head of any length in memory until it is whole: what comes is counted here.
    """

    _bodiless_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """A client is here; TLS is agreed on already."""
        tls = transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(binary_form=True)
        if der:
            self.app_state = {**self.app_state, STATE_KEY: certificate_sha256(der)}
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        """Part of a request, or several."""
        self._bodiless_bytes += len(data)
        super().data_received(data)
        if self._bodiless_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.logger.warning("A request's head is too large.")
            self.send_400_response(f"a request's head has at most {MAX_HEAD_BYTES} bytes")

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._bodiless_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of a body."""
        self._bodiless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._bodiless_bytes = 0
        super().on_message_complete()
