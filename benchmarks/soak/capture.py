"""Hours of sound through a real device, its child process, the engine and the shipped model, in minutes.

    python benchmarks/soak/capture.py [--hours 24] [--speed 60] [--channels 1]

The device is ALSA's `file` over `null`, which gives noise as fast as it is read. Watched, every hour of sound: resident
memory of agent and child, threads, open files, processes, and the books. At the end no sample may be unaccounted for.
Exit status 1 where memory grows by more than 1 MB an hour after the first, something leaks, or a book does not balance.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_agent.agent.hearing.engine import Engine
from edge_agent.agent.hearing.plan import ChannelPlan, SourcePlan
from edge_agent.capture.block_queue import BlockQueue
from edge_agent.capture.clock import SystemClock
from edge_agent.capture.microphone import MicrophoneSource
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.runner import SourceChange, SourceRunner, SourceState
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.analyse import Analyser
from edge_agent.pipeline.policy import ScorePolicy
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import WindowShape

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000
WINDOW_S = 10.0
ALSA_CONFIG = """
</usr/share/alsa/alsa.conf>
pcm.soak_null { type null }
pcm.soak_file { type file slave.pcm "soak_null" file "/dev/null" infile "/dev/urandom" format "raw" }
pcm.soak { type plug slave { pcm "soak_file" format S16_LE } hint { show on description "soak" } }
"""


@dataclass(frozen=True)
class Reading:
    hours: float
    agent_mb: float
    child_mb: float
    threads: int
    files: int
    children: int
    captured: int
    scored: int
    skipped: int
    lost: int
    pending: int
    unaccounted: int


def resident_mb(pid: int | str) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 2)


def children() -> list[int]:
    tasks = Path("/proc/self/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def read(engine: Engine) -> Reading:
    books = engine.ledgers()
    own = children()
    return Reading(
        hours=round(books[0].captured / RATE_HZ / 3600, 2),
        agent_mb=resident_mb("self"),
        child_mb=max(map(resident_mb, own), default=0.0),
        threads=len(list(Path("/proc/self/task").iterdir())),
        files=len(os.listdir("/proc/self/fd")),
        children=len(own),
        captured=sum(each.captured for each in books),
        scored=sum(each.scored for each in books),
        skipped=sum(sum(each.skipped.values()) for each in books),
        lost=sum(sum(each.lost.values()) for each in books),
        pending=sum(each.pending for each in books),
        unaccounted=sum(abs(each.balance) for each in books),
    )


def soak(hours: float, channels: int) -> list[Reading]:
    bundle = load_bundle(ROOT / "models" / "default")
    roster = Roster(bundle, {f"m{index}": None for index in range(channels)})
    plans = tuple(ChannelPlan(index, roster.listener(f"m{index}")) for index in range(channels))
    clock, queue = SystemClock(), BlockQueue(max_blocks=64)
    engine = Engine(
        Analyser(bundle.encoder()),
        settings=bundle.manifest.signal,
        shape=WindowShape(WINDOW_S, WINDOW_S),
        policy=ScorePolicy(WINDOW_S),
        sources={"soak": SourcePlan(plans, stamped_by_arrival=False)},
        clock=clock,
    )
    command = (sys.executable, str(Path(__file__).with_name("paced_child.py")))

    def open_source() -> MicrophoneSource:
        return MicrophoneSource(
            "soak", DeviceSettings("ALSA:soak", RATE_HZ, channels), command=command, real_time=False
        )

    def tell(change: SourceChange) -> None:
        if change.state is not SourceState.UP:
            print(f"{change.state.value}: {change.detail}", file=sys.stderr)

    # not live: where the scorer is late the reader waits, and the child's ring shows what comes on top as lost
    runner = SourceRunner("soak", open_source, queue, clock, tell, live=False)
    readings: list[Reading] = []
    runner.start()
    step_h = min(1.0, hours / 6)
    while not readings or readings[-1].hours < hours:
        for arrival in queue.take(0.5):
            engine.accept(arrival)
        for _ in engine.drain():
            pass
        if engine.ledgers()[0].captured >= (len(readings) + 1) * step_h * 3600 * RATE_HZ:
            readings.append(read(engine))
            print(json.dumps(asdict(readings[-1])), flush=True)
    # close the queue first: a reader that waits for room in it would not see that it is to stop
    queue.close()
    runner.stop()
    for _ in engine.stop():
        pass
    readings.append(read(engine))
    return readings


def complaints(readings: list[Reading]) -> list[str]:
    *running, final = readings
    settled = running[1:] if len(running) > 2 else running
    found = []
    hours = settled[-1].hours - settled[0].hours
    growth = {
        name: (getattr(settled[-1], name) - getattr(settled[0], name)) / max(hours, 1.0)
        for name in ("agent_mb", "child_mb")
    }
    found += [f"{name} grows by {value:.2f} an hour" for name, value in growth.items() if value > 1.0]
    for name in ("threads", "files", "children"):
        if getattr(settled[-1], name) > getattr(settled[0], name):
            found.append(f"{name} grew from {getattr(settled[0], name)} to {getattr(settled[-1], name)}")
    if final.unaccounted or final.pending or any(each.unaccounted for each in running):
        found.append(f"samples unaccounted for: {final}")
    if final.children:
        found.append(f"{final.children} processes are left")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="hours of sound")
    parser.add_argument("--speed", type=float, default=60.0, help="times real time")
    parser.add_argument("--channels", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        config = Path(directory) / "asound.conf"
        config.write_text(ALSA_CONFIG)
        os.environ.update(ALSA_CONFIG_PATH=str(config), SOAK_SPEED=str(arguments.speed))
        started_s = time.monotonic()
        readings = soak(arguments.hours, arguments.channels)
    print(json.dumps(asdict(readings[-1])))
    print(f"{readings[-1].hours:.1f} h of sound in {time.monotonic() - started_s:.0f} s")
    found = complaints(readings)
    print("\n".join(found or ["flat, nothing left behind, every sample accounted for"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
