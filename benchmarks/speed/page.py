"""What the gateway's page costs: 16 machines at one update a second, with browsers that follow all of them.

Usage: python -m benchmarks.speed.page [--machines 16] [--viewers 2] [--seconds 30] [--alarms 4] [--clips 1000]

A process of its own holds the board and serves the page as the agent does, with alarms that stand and clips that are
kept; a viewer does what an open page of a machine does. All of its processor time counts. Exits with 3 where the target
is missed.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from edge_agent.agent.clips.desk import ClipDesk
from edge_agent.alarms.alarm import Alarm, AlarmKey, Kind, Severity
from edge_agent.alarms.states import State
from edge_agent.bench.running import processor_s
from edge_agent.capture.clock import SystemClock
from edge_agent.clips.books import StoreLimits
from edge_agent.clips.index import ClipIndex
from edge_agent.clips.row import row_of
from edge_agent.clips.store import ClipStore
from edge_agent.delivery.commands import CommandReply
from edge_agent.observe.health import Health, HealthLimits
from edge_agent.observe.http import HttpServer, endpoints
from edge_agent.web.alarms import AlarmPages
from edge_agent.web.app import PageParts, create_app
from edge_agent.web.board import Band, Board, Part, SeenWindow
from edge_agent.web.clips import ClipPages
from edge_agent.web.gateway import AgentGateway
from edge_agent.web.live_frames import LiveFrames
from edge_agent.web.spectrogram import SpectrogramPages
from edge_agent.web.views import MachineFacts
from tests.clips.samples import ids, sidecar

TARGET = 0.05
EXIT_MISSED = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--machines", type=int, default=16)
    parser.add_argument("--viewers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--alarms", type=int, default=4)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = tuple(f"machine_{index}" for index in range(arguments.machines))
    if arguments.serve:
        with tempfile.TemporaryDirectory() as directory:
            return _serve(names, arguments.alarms, _kept(Path(directory), arguments.clips, arguments.alarms))
    share = _measured(arguments)
    verdict = "met" if share < TARGET else "MISSED"
    print(
        f"{arguments.machines} machines at 1 update/s, {arguments.viewers} viewers, {arguments.alarms} alarms, "
        f"{arguments.clips} clips, {arguments.seconds:.0f} s"
    )
    print(f"page {100 * share:.2f} % of a core, target {100 * TARGET:.0f} %: {verdict}")
    return 0 if share < TARGET else EXIT_MISSED


def _measured(asked: argparse.Namespace) -> float:
    viewers, seconds = asked.viewers, asked.seconds
    command = [sys.executable, "-m", "benchmarks.speed.page", "--serve", "--machines", str(asked.machines)]
    command += ["--alarms", str(asked.alarms), "--clips", str(asked.clips)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        stopping = threading.Event()
        followers = [threading.Thread(target=_follow, args=(port, stopping), daemon=True) for _ in range(viewers)]
        for follower in followers:
            follower.start()
        time.sleep(3.0)  # imports and first answers are no part of it
        before_s, since = processor_s(server.pid), time.monotonic()
        time.sleep(seconds)
        used_s, wall_s = processor_s(server.pid) - before_s, time.monotonic() - since
        stopping.set()
        for follower in followers:
            follower.join(10.0)
        server.stdin.close()
    return used_s / wall_s


def _follow(port: int, stopping: threading.Event) -> None:
    """What an open page does: the stream of changes, one machine anew at each window, and its moving picture."""
    threading.Thread(target=_watch, args=(port, stopping), daemon=True).start()
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    stream.request("GET", "/api/live")
    lines = stream.getresponse()
    while not stopping.is_set():
        if lines.readline().startswith(b"data:"):
            for path in ("machines/machine_0", "machines/machine_0/history", "clips?machine=machine_0"):
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                asked.request("GET", f"/api/{path}")
                assert asked.getresponse().read()
                asked.close()


def _watch(port: int, stopping: threading.Event) -> None:
    """Read the live spectrogram of the machine that is looked at."""
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    stream.request("GET", "/api/machines/machine_0/frames/live")
    lines, heard = stream.getresponse(), 0
    while not stopping.is_set():
        heard += lines.readline().startswith(b"data:")
    assert heard, "the spectrogram did not move"


def _kept(root: Path, clips: int, alarms: int) -> Path:
    """A store whose index knows so many clips, of the first machine and of the alarms."""
    index, make = ClipIndex(root / "index.db"), ids()
    for number in range(clips):
        clip = sidecar(next(make), machine="machine_0", alarm=f"alarm_{number}" if number < alarms else None)
        index.put(row_of(clip, files_bytes=200_000, sidecar_bytes=900, sidecar_ns=number))
    index.close()
    return root


def _alarms(names: tuple[str, ...], count: int) -> tuple[Alarm, ...]:
    return tuple(
        Alarm(
            AlarmKey(Kind.ANOMALY, name), State.UNACKNOWLEDGED, active=True, id=f"alarm_{index}",
            severity=Severity.HIGH, text=f"{name} sounds unlike its normal", raised_ns=1,
        )
        for index, name in enumerate(names[:count])
    )  # fmt: skip


def _serve(names: tuple[str, ...], count: int, root: Path) -> int:
    board, health = Board(names), Health(HealthLimits())
    gateway = AgentGateway(
        site="plant", gateway="gw", version="0", bundle=lambda: ("default", "0", "0" * 64), started_s=0.0,
        now_s=time.time,
        clock_synced=lambda: True, health=lambda: health.report(now_s=time.monotonic()), ledgers=list,
        facts=lambda: tuple(MachineFacts(name, "pump", "mic", None) for name in names),
    )  # fmt: skip
    live = LiveFrames(behind=lambda: False, on_shed=lambda cause, frames: None)
    pages = SpectrogramPages(board, live, {name: ("mic", index) for index, name in enumerate(names)}.get)
    alarms, clock = _alarms(names, count), SystemClock()

    def opened() -> ClipStore:
        return ClipStore(root, StoreLimits(min_free_bytes=0))

    clips = ClipPages(opened, ClipDesk(lambda: None, opened, lambda name: True, lambda entry: None, clock))
    standing = AlarmPages(lambda: alarms, list, _no_command, lambda: "", clips.of_episodes)
    routes = endpoints(CollectorRegistry(), lambda: health.report(now_s=time.monotonic()))
    server = HttpServer(create_app(routes, page=PageParts(board, gateway, (standing, clips, pages))), port=0)
    server.start()
    print(server.port, flush=True)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    frames = np.random.default_rng(0).normal(-40, 10, (312, 128)).astype(np.float32)
    index = 0
    while not over.wait(1.0):
        for name in names:
            board.window(_window(name, index, frames))
        for channel in range(len(names)):
            live.give("mic", channel, 32 * index, frames[:32])
        index += 1
    server.stop()
    return 0


def _no_command(verb: str, payload: bytes, caller: str) -> CommandReply:
    raise NotImplementedError(f"nobody acts here: {verb}")


def _window(name: str, index: int, frames: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> SeenWindow:
    now_s = time.time()
    return SeenWindow(
        machine=name, source="mic", channel=0, index=index, start_s=now_s - 10, end_s=now_s, state="normal",
        why=f"{name} sounds normal", coverage=1.0, score=0.5, threshold=2.0, percentile=60.0, level_dbfs=-30.0,
        bands=tuple(Band(100.0 * 1.26**band, 0.05, 0.3) for band in range(20)), parts=(Part("shape", 1.0, 0.5),),
        log_mel_db=frames,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
