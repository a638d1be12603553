"""What listening costs: processor, memory and delay of the real daemon, with a real broker and a real subscriber.

    python -m benchmarks.speed.live [--seconds 60] [--json FILE] [--only microphone:1 stream:64]

`microphone` is one recorded device of PulseAudio with so many channels, read by the agent's own child process; `stream`
are samples over TCP, at most 32 channels a source. All channels are commissioned machines, and all their windows end at
the same moment, which is the worst case. The agent and its children have one core. Costs are of agent and children
together: their own clocks, and proportional set size, over the time after the first window. Delay is counted from the
moment at which the last sample of a window was captured (as the sender knows it; for microphones as the agent stamped
it) until the subscriber has the result. Exits with 3 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.speed.live_plant import Plant, commission, hand_out, plant_sound, running, samples, scrape, stages
from benchmarks.speed.process_cost import Cost, cost, threads
from edge_agent.detection.profile import Profile
from tests.support.broker import Broker

EXIT_MISSED = 3
RUNS = ("microphone:1", "microphone:16", "stream:1", "stream:16", "stream:64")
WINDOW_S = 10.0
SETTLE_S = 2.0
P99_TARGET_MS = 250.0
CPU_TARGET = {1: 2.0, 16: 50.0, 64: 100.0}
MEMORY_TARGET_MB = (120.0, 5.0)
FLAT = 1.2


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    kind: str
    channels: int
    seconds: float
    cpu_percent: float
    wakeups_per_s: float
    pss_mb: float
    windows: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    lost_samples: float
    stages_ms: dict[str, float]
    load: float
    threads: dict[str, str]

    @property
    def cpu_per_channel(self) -> float:
        return self.cpu_percent / self.channels


class Ear:
    """Hears results and stamps them at once."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("+/+/+/machine/+/result", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append((time.time(), message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(10), "the subscriber found no broker"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(kind: str, channels: int, seconds: float, profile: Profile, bundle: Path) -> Figures:
    """One run of the agent."""
    sound = plant_sound()
    with tempfile.TemporaryDirectory(prefix="live-") as name, ExitStack() as stack:
        plant = Plant(Path(name))
        getattr(plant, kind)(channels, sound, stack)
        broker = Broker(Path(name) / "broker")
        broker.start()
        stack.callback(broker.stop)
        ear = Ear(broker.port)
        stack.callback(ear.close)
        hand_out(profile, plant.machines(), Path(name) / "state")
        config = plant.configure(broker.port, WINDOW_S)
        agent = stack.enter_context(running(config, bundle, min(os.sched_getaffinity(0))))
        _until(lambda: len(ear.heard) >= channels, 60, config.parent / "log")
        time.sleep(SETTLE_S)
        skipped, begin, begun = len(ear.heard), cost(agent.pid), threads(agent.pid)
        time.sleep(seconds)
        end, ended = cost(agent.pid), threads(agent.pid)
        text = scrape(plant.http_port)
        delays_ms = sorted(_delays_ms(plant, ear, skipped))
    return Figures(
        kind=kind,
        channels=channels,
        seconds=round(end.at_s - begin.at_s, 1),
        cpu_percent=round(100 * (end.cpu_s - begin.cpu_s) / (end.at_s - begin.at_s), 3),
        wakeups_per_s=round((end.switches - begin.switches) / (end.at_s - begin.at_s), 1),
        pss_mb=round(max(begin.pss_mb, end.pss_mb), 1),
        windows=len(delays_ms),
        p50_ms=round(delays_ms[len(delays_ms) // 2], 1),
        p99_ms=round(delays_ms[int(len(delays_ms) * 0.99)], 1),
        worst_ms=round(delays_ms[-1], 1),
        lost_samples=samples(text, "lost"),
        stages_ms=stages(text),
        load=round(os.getloadavg()[0], 2),
        threads=_by_thread(begin, end, begun, ended),
    )


def _delays_ms(plant: Plant, ear: Ear, skipped: int) -> list[float]:
    seen, found = Counter[str](), []
    for number, (heard_s, payload) in enumerate(ear.heard):
        data = json.loads(payload)["data"]
        machine = data["machine"]
        seen[machine] += 1
        sender = plant.senders.get(machine.rpartition("_")[0])
        if sender is None:
            ended_s = datetime.fromisoformat(data["window_start"]).timestamp() + WINDOW_S
        else:
            assert sender.began_s is not None
            ended_s = sender.began_s + seen[machine] * WINDOW_S
        if number >= skipped:
            found.append(1000 * (heard_s - ended_s))
    return found


def _by_thread(
    begin: Cost, end: Cost, begun: dict[str, tuple[float, int]], ended: dict[str, tuple[float, int]]
) -> dict[str, str]:
    passed_s = end.at_s - begin.at_s
    rows = {}
    for name, (cpu_s, switches) in ended.items():
        before_s, before = begun.get(name, (0.0, 0))
        percent, wakeups = 100 * (cpu_s - before_s) / passed_s, (switches - before) / passed_s
        if percent >= 0.01 or wakeups >= 0.1:
            rows[name] = f"{percent:.2f} %, {wakeups:.1f}/s"
    return rows


def _until(condition, within_s: float, log: Path) -> None:  # noqa: ANN001 (a lambda)
    until_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until_s:
            raise SystemExit(f"no results:\n{log.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.05)


def verdicts(runs: list[Figures]) -> list[tuple[bool, str]]:
    """Every target, met or not."""
    found = []
    for run in runs:
        name = f"{run.kind}, {run.channels} channel{'s' if run.channels > 1 else ''}"
        if (target := CPU_TARGET.get(run.channels)) is not None:
            found.append((run.cpu_percent < target, f"{name}: {run.cpu_percent:.2f} % of a core, target {target:g}"))
        most_mb = MEMORY_TARGET_MB[0] + MEMORY_TARGET_MB[1] * run.channels
        found.append((run.pss_mb < most_mb, f"{name}: {run.pss_mb:.0f} MB, target {most_mb:g}"))
        said = (
            f"{name}: window end to subscriber p50 {run.p50_ms:.0f}, p99 {run.p99_ms:.0f} ms, target {P99_TARGET_MS:g}"
        )
        found.append((run.p99_ms < P99_TARGET_MS, said))
        found.append((run.lost_samples == 0, f"{name}: {run.lost_samples:.0f} samples lost, target 0"))
    streams = {run.channels: run.cpu_per_channel for run in runs if run.kind == "stream"}
    if len(streams) > 1:
        least, most = min(streams), max(streams)
        ratio = streams[most] / streams[least]
        said = ", ".join(f"{count}: {each:.2f} %" for count, each in sorted(streams.items()))
        found.append((ratio <= FLAT, f"cost per channel {said}; of {most} to {least}: {ratio:.2f}, target {FLAT:g}"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", default=RUNS, metavar="KIND:CHANNELS")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured after the first window")
    parser.add_argument("--bundle", default="models/default", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    bundle = Path(arguments.bundle).resolve()
    with tempfile.TemporaryDirectory() as name:
        profile = commission(Path(name), plant_sound(), bundle)
    runs = []
    for each in arguments.only:
        kind, _, channels = each.partition(":")
        runs.append(measure(kind, int(channels), arguments.seconds, profile, bundle))
        print(json.dumps(asdict(runs[-1])), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")
    found = verdicts(runs)
    for met, said in found:
        print(f"{said}: {'met' if met else 'MISSED'}")
    return 0 if all(met for met, _ in found) else EXIT_MISSED


if __name__ == "__main__":
    sys.exit(main())
