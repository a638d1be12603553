"""Clips per second that a hub takes over the loopback: 10 s of FLAC each, file and record, each acknowledged on disk.

`python -m benchmarks.hub.uploads [--clips N] [--senders N] [--uploader]` starts a hub on SQLite and a folder, sends,
and prints the rate; hub and senders share the cores. Exit status 3: below the target.

A gateway is another computer: by default its HTTP is written here as plainly as it goes, so that the hub is measured.
With `--uploader` the gateway's own client sends, as the agent runs it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from edge_agent.clips.sidecar import Sidecar
from edge_agent.sync.client import HubAddress, HubClient
from edge_agent.sync.wire import ClipRecord
from tests.support.clips import SentClip, make_clip
from tests.support.hub_process import hub_process

TARGET_PER_S = 100.0
BELOW_TARGET = 3
_CLIP_S = 10.0
_READY_S = 600.0

Send = Callable[[SentClip], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What one sender did.

    Attributes:
        took_s: Of each clip.
        cpu_s: Processor time of all.
    """

    took_s: tuple[float, ...]
    cpu_s: float


@contextmanager
def _plainly(url: str, key: str) -> Iterator[Send]:
    """One connection, two requests a clip."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def put(path: str, body: bytes, kind: str) -> None:
            head = (
                f"PUT {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nIf-None-Match: *\r\n\r\n"
            )
            connection.sendall(head.encode() + body)
            answer = _answer(connection)
            if not answer.startswith(b"HTTP/1.1 201 "):
                raise SystemExit(f"{path}: {answer.decode(errors='replace')}")

        def send(clip: SentClip) -> None:
            put(f"/api/v1/clips/{clip.sha256}", clip.content, clip.media_type)
            put(f"/api/v1/clips/{clip.sha256}/records/{clip.id}", json.dumps(clip.record).encode(), "application/json")

        yield send


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


@contextmanager
def _by_uploader(url: str, key: str) -> Iterator[Send]:
    """As the agent's sync does, from files."""
    client = HubClient(HubAddress(url, SecretStr(key)))
    with tempfile.TemporaryDirectory() as directory:

        def send(clip: SentClip) -> None:
            record = ClipRecord(sidecar=Sidecar.model_validate_json(json.dumps(clip.sidecar)), agent_version="0.1.0")
            path = Path(directory) / clip.id
            path.write_bytes(clip.content)
            client.put_file(clip.sha256, path, clip.media_type)
            client.put_record(record)
            path.unlink()

        yield send
    client.close()


def _sender(url: str, key: str, numbers: Sequence[int], uploader: bool, pipe: Connection) -> None:
    """Make clips, say so, and send them once told to."""
    clips = [make_clip(number, seconds=_CLIP_S) for number in numbers]
    took_s = []
    with (_by_uploader if uploader else _plainly)(url, key) as send:
        pipe.send(sum(len(clip.content) for clip in clips))
        pipe.recv()
        cpu_s = time.process_time()
        for clip in clips:
            began_s = time.perf_counter()
            send(clip)
            took_s.append(time.perf_counter() - began_s)
        pipe.send(Sent(tuple(took_s), time.process_time() - cpu_s))


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=4, help="gateways that send at once")
    parser.add_argument("--uploader", action="store_true", help="send by the gateway's own client")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, hub_process(Path(directory)) as hub:
        key = hub.gateway_key()
        with _plainly(hub.url, key) as send:
            send(make_clip(options.clips))
        pipes = []
        for first in range(options.senders):
            ours, theirs = multiprocessing.Pipe()
            numbers = range(first, options.clips, options.senders)
            # a daemon: gone with this process
            multiprocessing.Process(
                target=_sender, args=(hub.url, key, numbers, options.uploader, theirs), daemon=True
            ).start()
            theirs.close()
            pipes.append(ours)
        size_kb = sum(_heard(pipe) for pipe in pipes) / options.clips / 1000
        cpu_s = _cpu_s(hub.pid)
        began_s = time.perf_counter()
        for pipe in pipes:
            pipe.send(None)
        done: list[Sent] = [_heard(pipe) for pipe in pipes]
        elapsed_s = time.perf_counter() - began_s
        cpu_s = _cpu_s(hub.pid) - cpu_s
    took_s = sorted(second for sent in done for second in sent.took_s)
    rate = len(took_s) / elapsed_s
    print(
        f"{len(took_s)} clips of {size_kb:.0f} kB in {elapsed_s:.2f} s: {rate:.0f} clips/s "
        f"(target {TARGET_PER_S:.0f}); a clip took {1e3 * took_s[len(took_s) // 2]:.1f} ms, p95 "
        f"{1e3 * took_s[int(0.95 * len(took_s))]:.1f} ms; CPU a clip: hub {1e3 * cpu_s / len(took_s):.1f} ms, senders "
        f"{1e3 * sum(sent.cpu_s for sent in done) / len(took_s):.1f} ms; "
        f"{options.senders} senders, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return 0 if rate >= TARGET_PER_S else BELOW_TARGET


def _heard(pipe: Connection) -> Any:  # noqa: ANN401  # what the sender says next
    if not pipe.poll(_READY_S):
        raise SystemExit("a sender says nothing")
    try:
        return pipe.recv()
    except EOFError as error:
        raise SystemExit("a sender ended early; what it said stands above") from error


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
