"""The last word of a topic stays the last word, whatever the broker refuses in between."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.delivery import session
from edge_agent.delivery.message import Priority
from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.outbox import MemoryOutbox, Outbox
from edge_agent.delivery.retained import Retained
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, Subscriber, needs_mosquitto, wait_until

STATES = ("unacknowledged", "acknowledged", "normal")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5), st.randoms())
def test_however_a_broker_refuses_what_it_retains_last_is_the_newest_that_it_took(
    rounds: list[list[bool]], order: object
) -> None:
    """Each round is a connection: all that waits is sent in order, some of it refused, answers in any order."""
    outbox = MemoryOutbox()
    for number in range(6):
        outbox.put(samples.alarm_message(f"m{number % 2}"))
    kept: dict[str, int] = {}
    taken: dict[str, set[int]] = {}
    for refusals in rounds:
        rows = outbox.read(Priority.ALARM, after_seq=0, limit=10)
        book = Retained(outbox)
        accepted = []
        for row in rows:  # the broker handles them in the order in which they were sent
            if not refusals[row.seq - 1]:
                taken.setdefault(row.message.topic, set()).add(row.seq)
                if row.message.retain:
                    kept[row.message.topic] = row.seq
        answers = list(rows)
        order.shuffle(answers)  # type: ignore[attr-defined]  # hypothesis's random
        for row in answers:
            if refusals[row.seq - 1]:
                book.refused(row)
            else:
                book.accepted(row)
                accepted.append(row.seq)
        book.settle()
        outbox.delete(accepted)
        for topic, seqs in taken.items():
            assert kept[topic] == max(seqs)


def test_every_outbox_can_take_the_flag_away(tmp_path: Path) -> None:
    outboxes: list[Outbox] = [MemoryOutbox(), SqliteOutbox(tmp_path / "outbox.db")]
    for outbox in outboxes:
        for state in STATES:
            outbox.put(samples.alarm_message(state=state))
        first, second, _ = outbox.read(Priority.ALARM, after_seq=0, limit=10)
        outbox.unretain([first.seq, second.seq, 99])
        assert [row.message.retain for row in outbox.read(Priority.ALARM, after_seq=0, limit=10)] == [
            False,
            False,
            True,
        ]
        outbox.close()


@needs_mosquitto
def test_a_refused_alarm_goes_out_once_it_may_and_the_newer_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_RETRY_REFUSED_S", 0.3)
    acl = tmp_path / "acl"
    rest = f"topic readwrite {samples.TOPICS.status}\ntopic readwrite {samples.TOPICS.base}/machine/+/result\n"
    acl.write_text(rest)
    acl.chmod(0o600)
    broker = Broker(tmp_path / "broker", listener=f"allow_anonymous true\nacl_file {acl}\n")
    broker.start()
    outbox = MemoryOutbox()
    publisher = Publisher(
        MqttSettings(host="127.0.0.1", port=broker.port, backoff_min_s=0.05),
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=lambda: 0.5,
        wall_ns=time.time_ns,
    )
    try:
        publisher.start()
        outbox.put(samples.alarm_message(state="unacknowledged"))
        publisher.notify()
        wait_until(
            lambda: dict(publisher.stats().refused).get(("publish", "not_authorized"), 0) >= 2, what="refused twice"
        )
        acl.write_text(rest + f"topic readwrite {samples.TOPICS.base}/#\n")
        broker.reload()
        wait_until(lambda: outbox.stats().total_rows == 0, 20.0, "sent over the same connection")
        assert publisher.stats().connects == 1
        late = Subscriber(broker.port, samples.TOPICS.machine_alarm("fan-1"), client_id="late")
        wait_until(lambda: len(late.heard) == 1, what="retained")
        assert json.loads(late.heard[0].payload)["data"]["state"] == "unacknowledged"
        late.close()
    finally:
        publisher.stop(0.0)
        broker.stop()
