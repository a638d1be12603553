"""Clips per second that a hub takes over the loopback: 10 s of FLAC each, file and record, each acknowledged on disk.

`python -m benchmarks.hub.uploads [--clips N] [--senders N]` starts a hub on SQLite and a folder, sends, and prints the
rate; hub and senders share the machine's cores. Exit status 3: below the target.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.clips import SentClip, make_clip
from tests.support.hub_process import hub_process

TARGET_PER_S = 100.0
BELOW_TARGET = 3
_CLIP_S = 10.0


def send(url: str, key: str, clips: Sequence[SentClip]) -> list[float]:
    """Send clips one after the other on one connection; seconds that each took.

    A gateway is another computer: its HTTP is written here as plainly as it goes, so that the hub is measured.
    """
    place = urlsplit(url)
    took_s = []
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for clip in clips:
            record = json.dumps(clip.record).encode()
            began_s = time.perf_counter()
            for path, body, kind in (
                (f"/api/v1/clips/{clip.sha256}", clip.content, clip.media_type),
                (f"/api/v1/clips/{clip.sha256}/records/{clip.id}", record, "application/json"),
            ):
                head = (
                    f"PUT {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n"
                    f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nIf-None-Match: *\r\n\r\n"
                )
                connection.sendall(head.encode() + body)
                answer = _answer(connection)
                if not answer.startswith(b"HTTP/1.1 201 "):
                    raise SystemExit(f"{path}: {answer.decode(errors='replace')}")
            took_s.append(time.perf_counter() - began_s)
    return took_s


def _answer(connection: socket.socket) -> bytes:
    """Head and body of an answer that says how long it is."""
    answer = b""
    while True:
        head, blank, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if blank and length is not None and len(body) >= int(length[1]):
            return answer
        part = connection.recv(1 << 16)
        if not part:
            raise SystemExit(f"the hub hung up after {answer.decode(errors='replace')}")
        answer += part


def _make(number: int) -> SentClip:
    return make_clip(number, seconds=_CLIP_S)


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=4, help="gateways that send at once")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(max(options.senders, os.cpu_count() or 1)) as pool:
        clips = list(pool.map(_make, range(options.clips), chunksize=16))
        size_kb = sum(len(clip.content) for clip in clips) / len(clips) / 1000
        parts = [clips[number :: options.senders] for number in range(options.senders)]
        with tempfile.TemporaryDirectory() as directory, hub_process(Path(directory)) as hub:
            key = hub.gateway_key()
            send(hub.url, key, [make_clip(options.clips + 1)])
            cpu_s = _cpu_s(hub.pid)
            began_s = time.perf_counter()
            took_s = sorted(chain.from_iterable(pool.map(send, [hub.url] * len(parts), [key] * len(parts), parts)))
            elapsed_s = time.perf_counter() - began_s
            cpu_s = _cpu_s(hub.pid) - cpu_s
    rate = len(took_s) / elapsed_s
    print(
        f"{len(took_s)} clips of {size_kb:.0f} kB in {elapsed_s:.2f} s: {rate:.0f} clips/s "
        f"(target {TARGET_PER_S:.0f}); a clip took {1e3 * took_s[len(took_s) // 2]:.1f} ms, p95 "
        f"{1e3 * took_s[int(0.95 * len(took_s))]:.1f} ms; the hub used "
        f"{1e3 * cpu_s / len(took_s):.1f} ms of CPU a clip; "
        f"{options.senders} senders, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return 0 if rate >= TARGET_PER_S else BELOW_TARGET


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
