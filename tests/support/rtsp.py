"""A network microphone: an RTSP server that asks for a password and sends 16-bit samples as RTP within the connection.

As much of RFC 2326 as a client needs to listen, and RFC 3551's L16.
"""

from __future__ import annotations

import base64
import re
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

_SAMPLES_PER_PACKET = 320
_PAYLOAD_TYPE = 96


class RtspMicrophone(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback.

    Args:
        sound: `[n, channels]` in -1..1; sent at its pace, over and over.
        rate_hz: Its rate.
        credentials: User and password, or None.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, sound: npt.NDArray[np.float32], rate_hz: int, credentials: tuple[str, str] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.sound = np.round(sound * 32767).astype(">i2")
        self.rate_hz = rate_hz
        self.credentials = credentials
        self.silent = threading.Event()
        """While set, nothing is sent."""

    @property
    def url(self) -> str:
        """Where to listen."""
        return f"rtsp://127.0.0.1:{self.server_address[1]}/press"

    @contextmanager
    def running(self) -> Iterator[RtspMicrophone]:
        """Serve within the block."""
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Session(socketserver.StreamRequestHandler):
    server: RtspMicrophone

    def handle(self) -> None:
        try:
            while (request := self._request()) is not None:
                self._answer(*request)
                if request[0] == "PLAY":
                    self._send_sound()
        except OSError:
            return  # the listener went away

    def _request(self) -> tuple[str, dict[str, str]] | None:
        first = self.rfile.readline().decode()
        if not first.strip():
            return None
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return first.split()[0], headers

    def _answer(self, method: str, headers: dict[str, str]) -> None:
        if self.server.credentials is not None:
            wanted = base64.b64encode(":".join(self.server.credentials).encode()).decode()
            if headers.get("authorization") != f"Basic {wanted}":
                self._reply("401 Unauthorized", headers, 'WWW-Authenticate: Basic realm="press"')
                return
        match method:
            case "OPTIONS":
                self._reply("200 OK", headers, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
            case "DESCRIBE":
                channels = self.server.sound.shape[1]
                sdp = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=press\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    f"m=audio 0 RTP/AVP {_PAYLOAD_TYPE}\r\n"
                    f"a=rtpmap:{_PAYLOAD_TYPE} L16/{self.server.rate_hz}/{channels}\r\na=control:track\r\n"
                )
                self._reply("200 OK", headers, "Content-Type: application/sdp", body=sdp)
            case "SETUP":
                channels_of = re.search(r"interleaved=\d+-\d+", headers.get("transport", ""))
                assert channels_of is not None, "the test's server speaks TCP only"
                self._reply("200 OK", headers, f"Transport: RTP/AVP/TCP;unicast;{channels_of[0]}", "Session: 1")
            case _:
                self._reply("200 OK", headers, "Session: 1")

    def _reply(self, status: str, asked: dict[str, str], *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {asked.get('cseq', '0')}", *headers, f"Content-Length: {len(body)}"]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _send_sound(self) -> None:
        sound = self.server.sound
        started_s = time.monotonic()
        packet = 0
        while True:
            first = packet * _SAMPLES_PER_PACKET
            rows = np.arange(first, first + _SAMPLES_PER_PACKET) % len(sound)
            header = struct.pack(">BBHII", 0x80, _PAYLOAD_TYPE, packet & 0xFFFF, first & 0xFFFFFFFF, 7)
            payload = header + sound[rows].tobytes()
            if not self.server.silent.is_set():
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(payload)) + payload)
            packet += 1
            time.sleep(max(0.0, started_s + packet * _SAMPLES_PER_PACKET / self.server.rate_hz - time.monotonic()))
