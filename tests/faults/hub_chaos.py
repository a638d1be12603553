"""Kills a hub (-9) while gateways upload: nothing partial is ever listed, nothing acknowledged is lost.

`python -m tests.faults.hub_chaos [--kills 50]` prints what it found and exits 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import select

from tests.support.clips import SentClip, make_clip
from tests.support.hub_process import HubProcess
from training_hub.catalogue.database import Database
from training_hub.catalogue.tables import Clip, StoredObject
from training_hub.storage.objects import ObjectStore

_SENDERS = 3


@dataclass
class Chaos:
    """What came of it.

    Attributes:
        kills: Of the hub.
        acknowledged: Clips whose receipt came.
        lost: Acknowledged ones that are not listed, or whose file is not whole.
        partial: Listed clips or objects without their whole content.
    """

    kills: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)


def run(directory: Path, kills: int, seed: int = 1) -> Chaos:
    """Kill a hub as often while gateways send to it."""
    hub = HubProcess(directory)
    chaos = Chaos()
    draw = random.Random(seed)
    stop = threading.Event()
    place: dict[str, str] = {}
    lock = threading.Lock()
    numbers = iter(range(1, 1_000_000))
    try:
        hub.start()
        key = hub.gateway_key()
        place["url"] = hub.url

        def send() -> None:
            client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60)
            while not stop.is_set():
                with lock:
                    clip = make_clip(next(numbers), seconds=2.0)
                while not stop.is_set() and not _sent(client, place["url"], clip):
                    time.sleep(0.5)
                if not stop.is_set():
                    with lock:
                        chaos.acknowledged[clip.id] = clip.sha256

        senders = [threading.Thread(target=send, daemon=True) for _ in range(_SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            before = len(chaos.acknowledged)
            deadline_s = time.monotonic() + 60
            while len(chaos.acknowledged) < before + 3 and time.monotonic() < deadline_s:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.3))
            hub.kill()
            chaos.kills += 1
            _check(hub, chaos)
            hub.start()
            place["url"] = hub.url
        stop.set()
        for sender in senders:
            sender.join()
        hub.stop()
        _check(hub, chaos)
    finally:
        stop.set()
        hub.end()
    return chaos


def _sent(client: httpx.Client, url: str, clip: SentClip) -> bool:
    """Whether the receipt came."""
    client.base_url = httpx.URL(url)
    try:
        return clip.put_file(client).is_success and clip.put_record(client).is_success
    except httpx.TransportError:
        return False


def _check(hub: HubProcess, chaos: Chaos) -> None:
    acknowledged = dict(chaos.acknowledged)
    database = Database(f"sqlite:///{hub.state_dir / 'hub.db'}")
    objects = ObjectStore((hub.state_dir / "objects").as_uri())
    try:
        with database.transaction(writes=False) as session:
            listed = {id_: sha256 for id_, sha256 in session.execute(select(Clip.id, Clip.sha256))}
            rows = set(session.scalars(select(StoredObject.sha256)))
    finally:
        database.close()
    stored = {sha256 for sha256, _ in objects.stored()}
    for sha256 in stored:
        objects.get(sha256)  # raises where the content has another hash
    chaos.partial += [f"row {sha256} without its object" for sha256 in rows - stored]
    chaos.partial += [f"clip {id_} without its row" for id_, sha256 in listed.items() if sha256 not in rows]
    chaos.lost += [id_ for id_, sha256 in acknowledged.items() if listed.get(id_) != sha256 or sha256 not in stored]


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        chaos = run(Path(directory), options.kills)
    print(
        f"{chaos.kills} kills, {len(chaos.acknowledged)} clips acknowledged: {len(chaos.lost)} lost, "
        f"{len(chaos.partial)} partial"
    )
    return int(bool(chaos.lost or chaos.partial or chaos.kills < options.kills))


if __name__ == "__main__":
    sys.exit(main())
