"""uvicorn's protocol, with the certificate that the client showed."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from training_hub.accounts.certificate import STATE_KEY, certificate_sha256


class CertificateProtocol(H11Protocol):
    """Puts the SHA-256 of the client's certificate, which TLS has verified, into the state of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """A client is here; TLS is agreed on already."""
        tls = transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(binary_form=True)
        if der:
            self.app_state = {**self.app_state, STATE_KEY: certificate_sha256(der)}
        super().connection_made(transport)
