"""Brokers that acknowledge late, twice, out of order, with a refusal, or hang up: what was put arrives, all of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from edge_agent.delivery import session
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import wait_until
from tests.support.hard_broker import ACCEPTED, HANG_UP, QUOTA_EXCEEDED, UNSPECIFIED, Answer, HardBroker, Published


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[SqliteOutbox]:
    with contextlib.closing(SqliteOutbox(tmp_path / "outbox.db")) as opened:
        yield opened


@contextlib.contextmanager
def publishing(outbox: SqliteOutbox, broker: HardBroker) -> Iterator[Publisher]:
    publisher = Publisher(
        MqttSettings(
            host="127.0.0.1", port=broker.port, protocol="5", backoff_min_s=0.02, backoff_max_s=0.1,
            backlog_rate_per_s=2000.0,
        ),
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=lambda: 0.5,
        wall_ns=time.time_ns,
    )  # fmt: skip
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.stop(0.0)


def waiting_events(outbox: SqliteOutbox) -> list[Message]:
    """Some of each kind, put before there is a broker."""
    messages = [samples.alarm_message("a1"), samples.alarm_message("a2"), samples.state_message("mic")]
    messages += [samples.result_message(f"m{index}") for index in range(60)]
    outbox.put_all(messages)
    return messages


def ids(published: Iterable[Published], ending: str = "") -> list[str]:
    return [json.loads(each.payload)["id"] for each in published if each.topic.endswith(ending)]


class OutOfOrder:
    """Acknowledges ten groups of four, the newest first, and then one by one."""

    def __init__(self) -> None:
        self.held: list[int] = []
        self.groups = 0

    def __call__(self, published: Published) -> Iterable[Answer]:
        self.held.append(published.mid)
        if self.groups < 10 and len(self.held) < 4:
            return []
        self.groups += 1
        held, self.held = self.held[::-1], []
        return [(mid, ACCEPTED) for mid in held]


class Late:
    """Acknowledges an event after a while."""

    def __call__(self, published: Published) -> Iterable[Answer]:
        time.sleep(0.02)
        return [(published.mid, ACCEPTED)]


def twice_and_what_never_was(published: Published) -> Iterable[Answer]:
    return [(60_000, ACCEPTED), (published.mid, ACCEPTED), (published.mid, ACCEPTED), (published.mid, UNSPECIFIED)]


class HangsUp:
    """Ends the connection at every event, after its acknowledgement or instead of it."""

    def __init__(self, *, acknowledges_first: bool, times: int) -> None:
        self.acknowledges_first, self.times = acknowledges_first, times

    def __call__(self, published: Published) -> Iterable[Answer]:
        self.times -= 1
        if self.times < 0:
            return [(published.mid, ACCEPTED)]
        return [(published.mid, ACCEPTED), (published.mid, HANG_UP)] if self.acknowledges_first else [(0, HANG_UP)]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(OutOfOrder(), id="out of order"),
        pytest.param(Late(), id="late"),
        pytest.param(twice_and_what_never_was, id="twice, and what never was"),
        pytest.param(HangsUp(acknowledges_first=True, times=6), id="hangs up after each"),
        pytest.param(HangsUp(acknowledges_first=False, times=5), id="hangs up instead"),
    ],
)
def test_whatever_the_broker_does_all_arrives(outbox: SqliteOutbox, script: object) -> None:
    messages = waiting_events(outbox)
    with HardBroker(script) as broker, publishing(outbox, broker):  # type: ignore[arg-type]  # all are scripts
        wait_until(lambda: outbox.stats().total_rows == 0, 60.0, "an empty outbox")
        assert set(ids(broker.taken)) == {message.event_id for message in messages}
        assert not broker.broken_rules
        live = samples.result_message("live")
        outbox.put(live)
        wait_until(lambda: live.event_id in ids(broker.taken), 30.0, "what is new")


def test_an_event_is_forgotten_when_it_is_acknowledged_and_not_before(outbox: SqliteOutbox) -> None:
    messages = waiting_events(outbox)
    with HardBroker(lambda _: []) as broker, publishing(outbox, broker) as publisher:
        wait_until(lambda: publisher.stats().in_flight > 0, 20.0, "events under way")
        time.sleep(0.3)  # long enough for a mistake
        assert outbox.stats().total_rows == len(messages)


class Quota:
    """Refuses each event a few times."""

    def __init__(self, reason: int, refusals: int) -> None:
        self.reason, self.refusals = reason, refusals
        self.seen: Counter[str] = Counter()

    def __call__(self, published: Published) -> Iterable[Answer]:
        event_id = json.loads(published.payload)["id"]
        self.seen[event_id] += 1
        return [(published.mid, self.reason if self.seen[event_id] <= self.refusals else ACCEPTED)]


@pytest.mark.parametrize("reason", [QUOTA_EXCEEDED, UNSPECIFIED], ids=["quota exceeded", "unspecified"])
def test_what_is_refused_for_a_while_is_sent_again_over_the_same_connection(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    monkeypatch.setattr(session, "_RETRY_REFUSED_S", 0.05)
    messages = waiting_events(outbox)
    with HardBroker(Quota(reason, 2)) as broker, publishing(outbox, broker) as publisher:
        wait_until(lambda: outbox.stats().total_rows == 0, 60.0, "an empty outbox")
        assert sorted(ids(broker.taken)) == sorted(message.event_id for message in messages)
        assert broker.connections == 1
        assert dict(publisher.stats().failed)[Failure.REFUSED] == 2 * len(messages)


def test_a_broker_that_takes_one_at_a_time_gets_one_at_a_time(outbox: SqliteOutbox) -> None:
    messages = waiting_events(outbox)
    with HardBroker(receive_maximum=1) as broker, publishing(outbox, broker):
        wait_until(lambda: outbox.stats().total_rows == 0, 60.0, "an empty outbox")
        assert ids(broker.taken, "/result") == [m.event_id for m in messages if m.priority is Priority.RESULT]
        assert not broker.broken_rules


def test_what_is_too_large_for_the_broker_waits_and_holds_nothing_up(outbox: SqliteOutbox) -> None:
    alarm = samples.alarm_message("a1")
    outbox.put(alarm)
    small = [samples.state_message(f"mic{index}") for index in range(5)]
    outbox.put_all(small)
    limit = len(alarm.payload) - 1
    assert all(len(each.payload) + 300 < limit for each in small)
    with HardBroker(maximum_packet_bytes=limit) as broker, publishing(outbox, broker) as publisher:
        wait_until(lambda: outbox.stats().total_rows == 1, 30.0, "all but the alarm")
        assert ids(broker.taken) == [each.event_id for each in small]
        assert not broker.broken_rules
        assert dict(publisher.stats().failed)[Failure.TOO_LARGE] == 1
    with HardBroker() as broker, publishing(outbox, broker):
        wait_until(lambda: outbox.stats().total_rows == 0, 30.0, "the alarm, at a broker that takes it")
        assert ids(broker.taken) == [alarm.event_id]
