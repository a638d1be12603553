"""Requests whose head never ends, on a real socket."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.hub_process import hub_process

_MOST_SENT = 64 << 20
_CHUNKED = b"PUT /api/v1/clips/%s HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n" % (b"a" * 64)
_HOSTILE = {
    "one header": (b"GET /livez HTTP/1.1\r\nHost: hub\r\nX-Long: ", b"a" * 8192),
    "many headers": (b"GET /livez HTTP/1.1\r\nHost: hub\r\n", b"X-Many: a\r\n" * 800),
    "a path": (b"GET /", b"a" * 8192),
    "trailers": (_CHUNKED + b"1\r\na\r\n0\r\n", b"X-Many: a\r\n" * 800),
    "a chunk's extension": (_CHUNKED + b"1;", b"a" * 8192),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> object:
    with hub_process(Path(tmp_path_factory.mktemp("hub"))) as hub:
        place = urlsplit(hub.url)
        yield place.hostname, place.port


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_head_without_end_is_cut_off(address: tuple[str, int], name: str) -> None:
    begin, more = _HOSTILE[name]
    sent = 0
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(begin)
        with pytest.raises(ConnectionError):
            while sent < _MOST_SENT:
                client.sendall(more)
                sent += len(more)
    with socket.create_connection(address, timeout=60) as other:
        other.sendall(b"GET /livez HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
        assert other.recv(4096).startswith(b"HTTP/1.1 200")


def test_requests_in_one_packet_are_answered_in_turn(address: tuple[str, int]) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: hub\r\nX-Long: " + b"a" * 16_000 + b"\r\n"
    with socket.create_connection(address, timeout=60) as client:
        client.sendall((request + b"\r\n") * 9 + request + b"Connection: close\r\n\r\n")
        answers = b""
        while part := client.recv(65_536):
            answers += part
    assert answers.count(b"HTTP/1.1 200") == 10


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: hub\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\nX-A : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\nX-A: b\nX-B: c\r\n\r\n",
    ],
    ids=["two lengths", "no ASCII", "blank in a name", "bare line feed"],
)
def test_what_is_no_http_is_refused(address: tuple[str, int], request_: bytes) -> None:
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(request_)
        assert client.recv(4096).startswith(b"HTTP/1.1 400")
