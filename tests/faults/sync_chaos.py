"""Kills the sync at random moments of its uploads, cuts its lines and takes the hub away; counts what was lost.

`python -m tests.faults.sync_chaos --kills 100 [--hub real]` is the long run; the tests do a short one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.store import ClipStore
from tests.clips.samples import START_NS
from tests.faults.hub_sides import ContractSide, HubSide, RealSide
from tests.support.agent import ROOT, write_config
from tests.support.broker import wait_until
from tests.support.tcp_relay import TcpRelay, carry_back
from tests.sync.gateway import Gateway

CLIPS = 12
EVENTS = 60


class CuttingLine(TcpRelay):
    """A TCP relay to the hub that ends each connection after some bytes, as a bad radio link does."""

    def __init__(self, hub_port: int, choose: random.Random, *, least: int, most: int) -> None:
        self.cuts = 0
        self._choose = choose
        self._least, self._most = least, most
        self.whole = False
        """Whether the line holds from now on."""
        super().__init__(hub_port)

    def serve(self, client: socket.socket) -> None:
        """Carry one connection, up to its cut."""
        left = self._choose.randint(self._least, self._most)
        with contextlib.suppress(OSError), client, self.connect() as hub:
            carry_back(hub, client)
            while data := client.recv(8192):
                if not self.whole and (left := left - len(data)) < 0:
                    self.cuts += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                hub.sendall(data)


@dataclass(frozen=True)
class Outcome:
    """What became of it.

    Attributes:
        kills, cuts, outages: What was done to it.
        clips, events: What was to arrive.
        lost: Clips and events that the hub has not got at the end.
        early: Clips that counted as sent at some kill while the hub had no record of them.
        altered: Files at the hub that are not those of the gateway.
        gone: Clips that the gateway lost.
    """

    kills: int
    cuts: int
    outages: int
    clips: int
    events: int
    lost: tuple[str, ...]
    early: tuple[str, ...]
    altered: tuple[str, ...]
    gone: tuple[str, ...]


def run(directory: Path, *, kills: int, seed: int, clips: int = CLIPS, is_real: bool = False) -> Outcome:
    """Kill the sync `kills` times, with the line cut and the hub away now and then, then let it finish."""
    hub: HubSide = RealSide(directory / "hub") if is_real else ContractSide()
    try:
        return _run(directory, hub, kills=kills, choose=random.Random(seed), clips=clips)
    finally:
        hub.go()


def _run(directory: Path, hub: HubSide, *, kills: int, choose: random.Random, clips: int) -> Outcome:
    line = CuttingLine(hub.port, choose, least=10_000, most=250_000)
    gateway = Gateway(directory, f"http://127.0.0.1:{line.port}", key=hub.key)
    gateway.clock.s = (time.time_ns() - START_NS) / 1e9  # the processes go by the real one
    wanted = gateway.keep(clips, seconds=5.0)
    events = gateway.publish(EVENTS)
    gateway.journal.close()
    gateway.store.close()
    config = sync_config(gateway, line.port)
    early: set[str] = set()
    outages = 0
    try:
        for kill in range(kills):
            calls = line.connections
            process = start_sync(config, directory)
            wait_until(lambda calls=calls: line.connections > calls, 60.0, "a call")  # type: ignore[misc]
            time.sleep(choose.uniform(0.0, 1.5))
            if kill % 3 == 1:  # the hub goes away under it, and comes back with what it had
                outages += 1
                hub.go()
                time.sleep(choose.uniform(0.1, 0.5))
                hub.come()
            process.kill()
            process.wait()
            early |= _synced(gateway) - hub.clips()
        line.whole = True
        process = start_sync(config, directory, watch=False)
        assert process.wait(120) == 0, (directory / "sync.log").read_text()[-2000:]
        store = ClipStore(gateway.store.root, StoreLimits())
        there = {row.id for row in store.rows()}
        files = {clip.sha256: store.payload_path(clip).read_bytes() for clip in wanted if clip.id in there}
        store.close()
        there_clips, there_files, there_events = hub.clips(), hub.files(), hub.events()
        lost = [clip.id for clip in wanted if clip.id not in there_clips or clip.sha256 not in there_files]
        lost += [clip.id for clip in wanted if clip.id not in _synced(gateway)]
        lost += [message.event_id for message in events if message.event_id not in there_events]
        return Outcome(
            kills=kills,
            cuts=line.cuts,
            outages=outages,
            clips=len(wanted),
            events=len(events),
            lost=tuple(lost),
            early=tuple(early),
            altered=tuple(sha256 for sha256, content in files.items() if there_files.get(sha256) != content),
            gone=tuple(clip.id for clip in wanted if clip.id not in there),
        )
    finally:
        line.close()


def sync_config(gateway: Gateway, port: int, *, name: str = "agent", max_bytes_per_s: int = 300_000) -> Path:
    """Settings of an agent with this state that sends to this port."""
    key = gateway.settings.hub.key_file
    assert key is not None
    body = (
        '[clips]\nspeech = "off"\nmin_free_bytes = 0\n'
        f'[hub]\nenabled = true\nurl = "http://127.0.0.1:{port}"\nkey_file = "{key.path}"\n'
        f"max_bytes_per_s = {max_bytes_per_s}\nbackoff_max_s = 1.0\n[hub.journal]\nsettle_s = 0.0\n"
    )
    return write_config(
        gateway.directory / f"{name}.toml", state_dir=gateway.state_dir, mqtt_port=None, http_port=1, body=body
    )


def start_sync(config: Path, directory: Path, *, watch: bool = True) -> subprocess.Popen[bytes]:
    """The sync as a process; its log goes to `sync.log` in the directory."""
    words = [sys.executable, "-m", "edge_agent", "sync", "--config", str(config), *(["--watch"] if watch else [])]
    with (directory / "sync.log").open("ab") as log:
        return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)


def _synced(gateway: Gateway) -> set[str]:
    store = ClipStore(gateway.store.root, StoreLimits())
    try:
        return set(store.labels_at_hub())
    finally:
        store.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--hub", choices=("contract", "real"), default="contract")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        outcome = run(
            Path(directory),
            kills=arguments.kills,
            seed=arguments.seed,
            clips=arguments.clips,
            is_real=arguments.hub == "real",
        )
    print(outcome)
    return int(bool(outcome.lost or outcome.early or outcome.altered or outcome.gone))


if __name__ == "__main__":
    sys.exit(main())
