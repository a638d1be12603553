"""Network streams to listen to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from edge_agent.capture.ffmpeg_input import FfmpegInput, FfmpegSettings
from edge_agent.capture.network import NetworkSource
from edge_agent.capture.sample_format import SampleFormat
from edge_agent.capture.stream_input import TcpInput
from edge_agent.capture.stream_url import StreamUrl


@contextmanager
def tcp_sender(data: bytes, bytes_per_s: float, *, then: str = "end") -> Iterator[str]:
    """Sends bytes at a pace to everyone who connects; then ends the connection, or is silent."""
    stop = threading.Event()

    def send(connection: socket.socket) -> None:
        with connection:
            started_s, sent, step = time.monotonic(), 0, max(1, round(bytes_per_s / 50))
            while sent < len(data) and not stop.is_set():
                try:
                    connection.sendall(data[sent : sent + step])
                except OSError:
                    return
                sent += step
                stop.wait(max(0.0, started_s + sent / bytes_per_s - time.monotonic()))
            if then == "silence":
                stop.wait(60)

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=send, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def tcp_source(
    url: str, *, rate_hz: int = 16_000, channels: int = 1, fmt: SampleFormat = SampleFormat.S16LE, stall_s: float = 5.0
) -> NetworkSource:
    return NetworkSource(
        "press",
        rate_hz=rate_hz,
        channels=channels,
        open_input=lambda: TcpInput(StreamUrl.parse(url), fmt),
        stall_s=stall_s,
    )


def ffmpeg_source(
    url: str,
    *,
    rate_hz: int = 16_000,
    channels: int = 1,
    credentials: tuple[str, str] | None = None,
    stall_s: float = 5.0,
) -> NetworkSource:
    settings = FfmpegSettings(StreamUrl.parse(url), rate_hz, channels, credentials=credentials)
    return NetworkSource(
        "press", rate_hz=rate_hz, channels=channels, open_input=lambda: FfmpegInput(settings), stall_s=stall_s
    )


def ramp(samples: int, channels: int = 1) -> npt.NDArray[np.int16]:
    """Each frame is its own number, the same in every channel."""
    return np.arange(samples, dtype=np.int16)[:, None].repeat(channels, 1)
