"""The broker is away for seven days: 60,480 results and 50 alarms wait on the disk and are then sent.

Usage: python -m benchmarks.soak.outage [--days 7]

Real events of a real replay, their times moved over the week, go into the real outbox; then a real mosquitto comes
back, and while the backlog is drained new results arrive once a second. Prints the size on disk, the time to drain,
whether the order was kept, and how late the new ones were; exits with 3 where a target is missed.
"""

import argparse
import contextlib
import itertools
import json
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent import cli
from edge_agent.delivery.events import parse_event
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayStatus
from edge_agent.delivery.ulid import UlidFactory
from tests.delivery import samples
from tests.support.broker import Broker, Subscriber
from tests.support.plant import write_film, write_normal

MAX_BYTES = 100_000_000
MAX_DRAIN_S = 600.0
MAX_LIVE_S = 1.0
EXIT_MISSED = 3
_RESULTS_PER_DAY = 8640
_ALARMS_PER_WEEK = 50


@dataclass(frozen=True)
class Outcome:
    """What was measured; `live_late_s` is the worst delay of a result made while the backlog was drained."""

    results: int
    alarms: int
    stored_bytes: int
    wire_bytes: int
    drain_s: float
    lost: int
    out_of_order: int
    live: int
    live_late_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=float, default=7.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outage-") as name:
        outcome = run(Path(name), arguments.days)
    print(f"{outcome.results} results and {outcome.alarms} alarms of {arguments.days:g} days")
    checks = [
        (
            "on disk",
            outcome.stored_bytes / 1e6,
            MAX_BYTES / 1e6,
            "MB",
            f"({outcome.wire_bytes / 1e6:.0f} MB on the wire)",
        ),
        ("drained in", outcome.drain_s, MAX_DRAIN_S, "s", ""),
        ("lost", outcome.lost, 0, "events", ""),
        ("out of order", outcome.out_of_order, 0, "events", ""),
        ("live results late by at most", outcome.live_late_s, MAX_LIVE_S, "s", f"({outcome.live} of them)"),
    ]
    for what, value, most, unit, more in checks:
        print(f"{what} {value:.3g} {unit} {more}, target at most {most:g}: {'met' if value <= most else 'MISSED'}")
    return 0 if all(value <= most for _, value, most, _, _ in checks) else EXIT_MISSED


def run(directory: Path, days: float) -> Outcome:
    """Fill, bring the broker back, watch."""
    templates = _real_results(directory / "plant")
    ulids = UlidFactory(now_ms=lambda: time.time_ns() // 1_000_000, randomness=random.Random(0).randbytes)
    outbox = SqliteOutbox(directory / "outbox.db")
    expected, wire_bytes = _fill(outbox, templates, ulids, days)
    stored_bytes = sum(path.stat().st_size for path in directory.glob("outbox.db*"))
    # as Debian ships it: the tests' own brokers write their whole store to the disk at every change
    broker = Broker(directory / "broker", "autosave_on_changes false\nautosave_interval 1800")
    broker.start()
    subscriber = Subscriber(broker.port)
    publisher = Publisher(
        MqttSettings(host="127.0.0.1", port=broker.port, backlog_rate_per_s=200.0),
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=random.random,
        wall_ns=time.time_ns,
    )
    made_s: dict[str, float] = {}
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(1.0):
            message = _event(templates[len(made_s) % len(templates)], ulids(), time.time_ns())
            made_s[message.event_id] = time.monotonic()
            outbox.put(message)
            publisher.notify()

    live = threading.Thread(target=go_on)
    began_s = time.monotonic()
    publisher.start()
    live.start()
    heard, order = _await(subscriber, {event_id for ids in expected.values() for event_id in ids}, began_s)
    drain_s = time.monotonic() - began_s
    over.set()
    live.join()
    time.sleep(1.0)
    for item in subscriber.heard:
        heard.setdefault(json.loads(item.payload)["id"], item.at_s)
    publisher.stop(2.0)
    outbox.close()
    subscriber.close()
    broker.stop()
    late = [heard.get(event_id, float("inf")) - at_s for event_id, at_s in made_s.items()]
    return Outcome(
        results=len(expected[Priority.RESULT]),
        alarms=len(expected[Priority.ALARM]),
        stored_bytes=stored_bytes,
        wire_bytes=wire_bytes,
        drain_s=drain_s,
        lost=sum(event_id not in heard for ids in expected.values() for event_id in ids),
        out_of_order=sum(_disorder(order, ids) for ids in expected.values()),
        live=len(late),
        live_late_s=max(late, default=0.0),
    )


def _fill(
    outbox: SqliteOutbox, templates: list[Message], ulids: UlidFactory, days: float
) -> tuple[dict[Priority, list[str]], int]:
    """What happens while the broker is away: ids by priority in their order, and their size as sent."""
    results, alarms = round(days * _RESULTS_PER_DAY), max(1, round(days / 7 * _ALARMS_PER_WEEK))
    start_ns, every = time.time_ns() - round(days * 86_400e9), results // alarms
    expected: dict[Priority, list[str]] = {Priority.RESULT: [], Priority.ALARM: []}
    wire_bytes = 0
    for first in range(0, results, 100):
        messages = []
        for n in range(first, min(first + 100, results)):
            occurred_ns = start_ns + n * 10_000_000_000
            messages.append(_event(templates[n % len(templates)], ulids(), occurred_ns))
            if n % every == every - 1 and n // every < alarms:
                messages.append(_event(samples.alarm_message(f"m{n % 3}"), ulids(), occurred_ns))
        outbox.put_all(messages)
        for message in messages:
            expected[message.priority].append(message.event_id)
            wire_bytes += len(message.payload)
    return expected, wire_bytes


def _await(subscriber: Subscriber, waiting: set[str], began_s: float) -> tuple[dict[str, float], list[str]]:
    """When each event came first, and the order in which all came."""
    heard: dict[str, float] = {}
    order: list[str] = []
    seen = 0
    while waiting and time.monotonic() - began_s < 2 * MAX_DRAIN_S:
        time.sleep(0.2)
        news = subscriber.heard[seen:]
        seen += len(news)
        for item in news:
            event = json.loads(item.payload)
            heard.setdefault(event["id"], item.at_s)
            order.append(event["id"])
            waiting.discard(event["id"])
    return heard, order


def _disorder(order: list[str], ids: list[str]) -> int:
    """How many came before one that was made earlier."""
    place = {event_id: index for index, event_id in enumerate(ids)}
    places = [place[event_id] for event_id in order if event_id in place]
    return sum(second < first for first, second in itertools.pairwise(places))


def _real_results(directory: Path) -> list[Message]:
    """Events of a machine that was learnt, and then failed."""
    normal, film = write_normal(directory / "normal"), write_film(directory / "film.wav")
    common = ["--machine", "pump_1", "--bundle", "models/default/", "--state-dir", str(directory / "state")]
    assert cli.main(["commission", *common, "--type", "pump", "--from", str(normal)]) == 0
    out = directory / "events.jsonl"
    with out.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        assert cli.main(["replay", str(film), "--json", *common]) == 0
    factory = samples.factory()
    return [factory.make(parse_event(line).data, occurred_ns=time.time_ns()) for line in out.read_bytes().splitlines()]


def _event(template: Message, event_id: str, occurred_ns: int) -> Message:
    """The event once more, with another id and time; the payload says the id, too."""
    head, _, tail = template.payload.partition(b'"id":"')
    payload = head + b'"id":"' + event_id.encode() + tail[len(event_id) :]
    return replace(template, event_id=event_id, occurred_ns=occurred_ns, payload=payload)


if __name__ == "__main__":
    sys.exit(main())
