"""A process that makes events and sends them until it is killed: `python -m tests.faults.publisher_child DB PORT LOG`.

Ids go to LOG, one line each, only after `put` returned: that is what "accepted" means.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples

EVENTS_PER_S = 200


def main(database: str, port: str, log: str, events: str) -> None:
    """Make `events` events (-1: for ever), then wait until the outbox is empty."""
    outbox = SqliteOutbox(Path(database))
    publisher = Publisher(
        MqttSettings(host="127.0.0.1", port=int(port), backoff_min_s=0.05, backoff_max_s=0.5, backlog_rate_per_s=5000),
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=random.random,
        wall_ns=time.time_ns,
    )
    publisher.start()
    accepted = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    made = 0
    while made != int(events):
        kind = samples.alarm_message if made % 50 == 0 else samples.result_message
        message = kind(f"m{made % 3}")
        outbox.put(message)
        os.write(accepted, f"{message.event_id}\n".encode())
        publisher.notify()
        made += 1
        time.sleep(1 / EVENTS_PER_S)
    while outbox.stats().total_rows:
        time.sleep(0.01)
    publisher.stop(2.0)
    outbox.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
