"""A gateway's certificate: from its own TLS connection, or as a trusted proxy passes it on."""

import base64
import binascii
import hashlib
import re
from urllib.parse import unquote

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_RFC_9440 = re.compile(r":([A-Za-z0-9+/=]+):")

STATE_KEY = "client_certificate_sha256"
"""Where in a request's state the SHA-256 of the client's certificate stands."""


def certificate_sha256(der: bytes) -> str:
    """SHA-256 of a certificate, as `gateways.certificate_sha256` holds it."""
    return hashlib.sha256(der).hexdigest()


def from_header(value: str) -> str | None:
    r"""SHA-256 of the certificate that a proxy's header names; None for what is none.

    The SHA-256 itself in hex, with or without colons (Caddy, HAProxy), PEM escaped for URLs (nginx), or DER in base64
    between colons (RFC 9440).

    >>> from_header("AB:" * 31 + "AB") == "ab" * 32
    True
    >>> from_header(":AAAA:") == certificate_sha256(b"\0\0\0")
    True
    """
    plain = value.strip()
    if _SHA256.fullmatch(found := plain.replace(":", "").lower()):
        return found
    match = _RFC_9440.fullmatch(plain) or _PEM.search(unquote(plain))
    if match is None:
        return None
    try:
        der = base64.b64decode("".join(match[1].split()), validate=True)
    except binascii.Error:
        return None
    return certificate_sha256(der) if der else None
