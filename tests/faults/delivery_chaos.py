"""Kills the publisher and the broker at random moments and counts what was lost.

`python -m tests.faults.delivery_chaos --kills 200` is the long run; the tests do a short one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.broker import Broker, Subscriber

REPOSITORY = Path(__file__).parents[2]
_BROKER_SAVES_WITHIN_S = 1.5
_WHILE_STARTING = 0.2
"""Share of the kills that meet a publisher before it accepts anything."""


@dataclass(frozen=True)
class Outcome:
    """What became of the events; `altered` were heard with two payloads that differ in more than `replayed`."""

    kills: int
    broker_kills: int
    accepted: int
    heard: int
    lost: tuple[str, ...]
    repeated: int
    altered: tuple[str, ...]


def run(directory: Path, *, kills: int, seed: int, kill_broker_every: int = 4) -> Outcome:
    """Kill the publisher `kills` times, every few kills the broker too, then let everything be delivered.

    mosquitto acknowledges before it writes to its disk, once a second. Whatever it acknowledged and had not written
    is lost at its own kill and cannot be the agent's doing, so the broker is killed only once it had time to write;
    the publisher meanwhile goes on and meets its absence.
    """
    choose = random.Random(seed)
    broker = Broker(directory / "broker")
    broker.start()
    subscriber = Subscriber(broker.port, client_id="chaos-hub")
    database, log = directory / "outbox.db", directory / "accepted.log"
    broker_kills = 0
    for kill in range(kills):
        publisher = _start(database, broker.port, log, -1)
        if choose.random() < _WHILE_STARTING:
            time.sleep(choose.uniform(0.0, 0.8))
        else:
            _await_more(log)
            time.sleep(choose.uniform(0.0, 0.5))
        if kill % kill_broker_every == 1:
            broker_kills += 1
            _kill_broker_safely(broker, publisher)
            publisher = _start(database, broker.port, log, -1)  # meets no broker at its start
            time.sleep(choose.uniform(0.4, 0.8))
            broker.start()
            time.sleep(choose.uniform(0.0, 1.0))
        publisher.kill()
        publisher.wait()
    _start(database, broker.port, log, 0).wait(120)
    accepted = log.read_text().split()
    _await(subscriber, set(accepted))
    subscriber.close()
    broker.stop()
    return _judge(kills, broker_kills, accepted, subscriber)


def _await_more(log: Path, timeout_s: float = 60.0) -> None:
    """Until the publisher accepts events, however long a busy machine takes to start it."""
    before = log.stat().st_size if log.exists() else 0
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s and not (log.exists() and log.stat().st_size > before):
        time.sleep(0.01)


def _kill_broker_safely(broker: Broker, publisher: subprocess.Popen[bytes]) -> None:
    publisher.kill()
    publisher.wait()
    time.sleep(_BROKER_SAVES_WITHIN_S)
    broker.kill()


def _start(database: Path, port: int, log: Path, events: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.publisher_child", str(database), str(port), str(log), str(events)],
        cwd=REPOSITORY,
    )


def _await(subscriber: Subscriber, ids: set[str], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s and not ids <= {json.loads(h.payload)["id"] for h in subscriber.heard}:
        time.sleep(0.1)


def _judge(kills: int, broker_kills: int, accepted: list[str], subscriber: Subscriber) -> Outcome:
    contents: dict[str, str] = {}
    counts: Counter[str] = Counter()
    altered: list[str] = []
    for each in subscriber.heard:
        event = json.loads(each.payload)
        if each.topic.endswith("/status"):
            continue
        event["data"]["replayed"] = None
        content = json.dumps(event)
        if contents.setdefault(event["id"], content) != content:
            altered.append(event["id"])
        counts[event["id"]] += 1
    return Outcome(
        kills=kills,
        broker_kills=broker_kills,
        accepted=len(accepted),
        heard=len(counts),
        lost=tuple(sorted(set(accepted) - set(counts))),
        repeated=sum(counts.values()) - len(counts),
        altered=tuple(altered),
    )


def main() -> int:
    """Run from the command line; exit status 1 when anything was lost or altered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="delivery-chaos-") as directory:
        outcome = run(Path(directory), kills=arguments.kills, seed=arguments.seed)
    print(outcome)
    return 1 if outcome.lost or outcome.altered else 0


if __name__ == "__main__":
    sys.exit(main())
