"""The seam to a network stream: raw samples from a descriptor that can be waited for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Protocol

from edge_agent.capture.errors import SourceError
from edge_agent.capture.sample_format import SampleFormat
from edge_agent.capture.stream_url import StreamUrl

CONNECT_TIMEOUT_S: Final = 5.0
_CHUNK_BYTES: Final = 65_536


class StreamInput(Protocol):
    """An open stream; used by one thread."""

    @property
    def sample_format(self) -> SampleFormat:
        """How its samples lie."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What to wait for."""

    def receive(self, descriptor: int) -> bytes:
        """What has come over a descriptor that is ready, if it is samples.

        Raises:
            SourceError: The stream has ended, or is not what was declared.
        """

    def close(self) -> None:
        """Free it."""


OpenInput = Callable[[], StreamInput]
"""Opens a stream or raises `SourceError`."""


class TcpInput:
    """Raw samples over TCP, as `arecord -t raw | nc` sends them: no header, so the format is agreed beforehand.

    Args:
        url: Where to connect, `tcp://host:port`.
        sample_format: What the sender sends.

    Raises:
        SourceError: Nobody answers.
    """

    def __init__(self, url: StreamUrl, sample_format: SampleFormat) -> None:
        self.sample_format = sample_format
        self._url = url
        try:
            self._socket = socket.create_connection((url.host, url.port or 0), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise SourceError(f"stream {url.text!r}: no connection ({error}); is the sender running?") from error
        self._socket.setblocking(False)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The socket."""
        return (self._socket.fileno(),)

    def receive(self, descriptor: int) -> bytes:
        """What has come; see `StreamInput`."""
        del descriptor
        try:
            data = self._socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise SourceError(f"stream {self._url.text!r} broke off ({error})") from error
        if not data:
            raise SourceError(f"stream {self._url.text!r} was ended by the sender")
        return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
