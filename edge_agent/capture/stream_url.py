"""Addresses of network streams: checked before anything is told of them, and without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from edge_agent.capture.errors import SourceError

SCHEMES: Final = ("tcp", "rtp", "rtsp", "rtsps")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]{1,2000}")
_PORT_NEEDED: Final = frozenset({"tcp", "rtp"})


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """An address that holds nothing but an address.

    Attributes:
        text: The whole, as configured.
        scheme: One of `SCHEMES`.
        host: Name or IP address.
        port: Its port; None for the scheme's own.
    """

    text: str
    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> StreamUrl:
        """Read an address.

        Raises:
            SourceError: It is none, is of a kind that is not heard, or holds a password. It is then not shown.

        Example:
            >>> StreamUrl.parse("rtsp://10.0.0.7/press").host
            '10.0.0.7'
        """
        if not _PLAIN.fullmatch(text):
            raise SourceError(
                "the stream's url holds characters that no url has (spaces, quotes, controls); encode them"
            )
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SourceError("the stream's url cannot be read; give scheme://host:port/path") from None
        if parts.scheme not in SCHEMES or not host:
            raise SourceError(f"the stream's url must be {'://, '.join(SCHEMES)}:// with a host")
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise SourceError("the stream's url holds a user or password; give username and password_file instead")
        if parts.scheme in _PORT_NEEDED and port is None:
            raise SourceError(f"the stream {text!r} needs a port: {parts.scheme}://host:port")
        if parts.scheme == "tcp" and (parts.path.strip("/") or parts.query or parts.fragment):
            raise SourceError(f"the stream {text!r} has a path, which tcp has not; give tcp://host:port")
        return cls(text, parts.scheme, host, port)

    def with_credentials(self, username: str, password: str) -> str:
        """The address with user and password; never to be shown, nor put into a command line."""
        scheme, _, rest = self.text.partition("://")
        return f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"
