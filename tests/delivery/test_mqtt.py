"""The publisher against a real broker."""

from __future__ import annotations

import functools
import json
import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.mqtt import MqttSettings, Publisher, TlsSettings
from edge_agent.delivery.outbox import MemoryOutbox, Outbox
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, Heard, Subscriber, needs_mosquitto, wait_until
from tests.support.mqtt_gate import Gate

pytestmark = needs_mosquitto

Start = Callable[..., Publisher]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path / "broker")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def subscriber(broker: Broker) -> Iterator[Subscriber]:
    subscribed = Subscriber(broker.port)
    yield subscribed
    subscribed.close()


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


def make_publisher(outbox: Outbox, settings: MqttSettings) -> Publisher:
    return Publisher(
        replace(settings, host="127.0.0.1", backoff_min_s=0.05),
        samples.TOPICS,
        outbox,
        GatewayStatus(samples.factory(), samples.facts, time.time_ns),
        jitter=lambda: 0.5,
        wall_ns=time.time_ns,
    )


@pytest.fixture
def start(outbox: MemoryOutbox) -> Iterator[Start]:
    started: list[Publisher] = []

    def begin(settings: MqttSettings) -> Publisher:
        started.append(make_publisher(outbox, settings))
        started[-1].start()
        return started[-1]

    yield begin
    for publisher in started:
        publisher.stop(0.0)


def events(heard: list[Heard], kind: str = "") -> list[Heard]:
    return [each for each in heard if each.topic.endswith(kind) and not each.topic.endswith("status")]


def ids(heard: list[Heard]) -> list[str]:
    return [json.loads(each.payload)["id"] for each in heard]


def statuses(heard: list[Heard]) -> list[tuple[str, str]]:
    data = [json.loads(each.payload)["data"] for each in heard if each.topic == samples.TOPICS.status]
    return [(each["state"], each["reason"]) for each in data]


def put(outbox: Outbox, publisher: Publisher, messages: list[Message]) -> list[str]:
    for message in messages:
        outbox.put(message)
        publisher.notify()
    return [message.event_id for message in messages]


def test_every_event_of_a_live_run_arrives_once(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    publisher = start(MqttSettings(port=broker.port))
    wait_until(lambda: publisher.stats().connected, what="connection")
    sent = put(outbox, publisher, [samples.result_message(f"m{i % 3}") for i in range(200)])
    wait_until(lambda: outbox.stats().total_rows == 0, what="empty outbox")
    wait_until(lambda: len(events(subscriber.heard)) == 200, what="200 events")
    assert ids(events(subscriber.heard)) == sent
    assert not any(json.loads(each.payload)["data"]["replayed"] for each in events(subscriber.heard))
    stats = publisher.stats()
    assert (stats.published, stats.replayed, stats.connects, stats.failed, stats.in_flight) == (200, 0, 1, (), 0)


def test_an_event_goes_out_at_once(broker: Broker, outbox: MemoryOutbox, start: Start) -> None:
    publisher = start(MqttSettings(port=broker.port))
    wait_until(lambda: publisher.stats().connected, what="connection")
    durations_s = []
    for _ in range(20):
        begin_s = time.perf_counter()
        put(outbox, publisher, [samples.result_message()])
        while outbox.stats().total_rows:
            time.sleep(0.0005)
        durations_s.append(time.perf_counter() - begin_s)
    assert sorted(durations_s)[10] < 0.1  # the poll interval is 0.5 s: it was woken


def test_only_results_expire_and_only_they_are_not_retained(broker: Broker, outbox: MemoryOutbox, start: Start) -> None:
    publisher = start(MqttSettings(port=broker.port, result_expiry_s=3600))
    put(outbox, publisher, [samples.result_message(), samples.alarm_message(), samples.state_message()])
    watcher = Subscriber(broker.port, client_id="at-once")
    wait_until(lambda: publisher.stats().published == 3, what="3 acknowledged")
    late = Subscriber(broker.port, client_id="late")
    wait_until(lambda: len(late.heard) >= 3, what="retained")
    time.sleep(0.1)
    assert sorted(each.topic.rsplit("/", 1)[1] for each in late.heard) == ["alarm", "state", "status"]
    assert all(each.retained and each.expiry_s is None for each in late.heard)
    for subscriber in (watcher, late):
        subscriber.close()


def test_results_carry_their_expiry(broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start) -> None:
    publisher = start(MqttSettings(port=broker.port, result_expiry_s=3600))
    put(outbox, publisher, [samples.result_message(), samples.alarm_message()])
    wait_until(lambda: len(events(subscriber.heard)) == 2, what="events")
    expiry_s = {each.topic.rsplit("/", 1)[1]: each.expiry_s for each in events(subscriber.heard)}
    assert expiry_s["alarm"] is None
    assert expiry_s["result"] is not None
    assert 3590 <= expiry_s["result"] <= 3600


def test_a_broker_absent_at_the_start_is_met_later(
    tmp_path: Path, outbox: MemoryOutbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge_agent.delivery")
    broker = Broker(tmp_path / "broker")
    publisher = start(MqttSettings(port=broker.port))
    sent = put(outbox, publisher, [samples.result_message() for _ in range(5)])
    wait_until(lambda: dict(publisher.stats().failed).get(Failure.CONNECT, 0) >= 3, what="3 attempts")
    assert not publisher.stats().connected
    broker.start()
    subscriber = Subscriber(broker.port)
    wait_until(lambda: len(events(subscriber.heard)) == 5, what="events")
    assert ids(events(subscriber.heard)) == sent
    assert all(json.loads(each.payload)["data"]["replayed"] for each in events(subscriber.heard))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]  # one line per change
    subscriber.close()
    broker.stop()


def test_a_broker_killed_and_restarted_loses_nothing(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    publisher = start(MqttSettings(port=broker.port, backlog_rate_per_s=10_000))
    wait_until(lambda: publisher.stats().connected, what="connection")
    sent: list[str] = []

    def all_heard() -> bool:
        return set(ids(events(subscriber.heard))) >= set(sent)

    for _ in range(3):
        sent += put(outbox, publisher, [samples.result_message() for _ in range(100)])
        # mosquitto's PUBACK is not a disk: it writes once a second, so give it that before the kill
        wait_until(lambda: outbox.stats().total_rows == 0, what="acknowledged")
        wait_until(all_heard, what="heard")
        connects = publisher.stats().connects
        broker.kill()
        sent += put(outbox, publisher, [samples.result_message() for _ in range(50)])
        time.sleep(0.2)
        broker.start()
        wait_until(functools.partial(lambda before: publisher.stats().connects > before, connects), what="reconnection")
    wait_until(all_heard, 20, what="every event")
    wait_until(lambda: outbox.stats().total_rows == 0, what="empty outbox")
    assert set(ids(events(subscriber.heard))) == set(sent)


def test_birth_is_before_every_event_and_a_stop_says_goodbye(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    outbox.put(samples.alarm_message())
    publisher = start(MqttSettings(port=broker.port))
    wait_until(lambda: len(subscriber.heard) == 2, what="birth and alarm")
    assert subscriber.heard[0].topic == samples.TOPICS.status
    put(outbox, publisher, [samples.result_message()])
    assert publisher.stop(5.0)
    wait_until(lambda: len(subscriber.heard) == 4, what="goodbye")
    assert subscriber.heard[3].topic == samples.TOPICS.status  # the drain came before
    assert statuses(subscriber.heard) == [("online", "connected"), ("offline", "stopped")]
    time.sleep(0.3)
    assert len(subscriber.heard) == 4  # no will after an orderly stop


def test_stop_leaves_a_long_backlog_for_the_next_start(broker: Broker, outbox: MemoryOutbox, start: Start) -> None:
    for _ in range(200):
        outbox.put(samples.result_message())
    publisher = start(MqttSettings(port=broker.port, backlog_rate_per_s=1.0))
    wait_until(lambda: publisher.stats().connected, what="connection")
    begin_s = time.monotonic()
    assert publisher.stop(10.0)
    assert time.monotonic() - begin_s < 3
    assert outbox.stats().total_rows >= 195


def test_a_short_loss_of_the_line_is_no_loss_of_the_gateway(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    gate = Gate(broker.port)
    publisher = start(MqttSettings(port=gate.port, will_delay_s=2))
    wait_until(lambda: publisher.stats().connects == 1, what="connection")
    gate.cut()
    wait_until(lambda: publisher.stats().connects == 2, what="reconnection")
    time.sleep(2.5)  # the broker's clock decides, none can be handed in
    assert statuses(subscriber.heard) == [("online", "connected")] * 2
    gate.close()


def test_a_lost_gateway_is_called_lost_after_the_delay(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    gate = Gate(broker.port)
    publisher = start(MqttSettings(port=gate.port, will_delay_s=1))
    wait_until(lambda: publisher.stats().connected, what="connection")
    gate.close()
    wait_until(lambda: ("offline", "lost") in statuses(subscriber.heard), 10, what="will")
    assert subscriber.heard[-1].topic == samples.TOPICS.status


@pytest.mark.parametrize("mode", ["refuse-mqtt5", "hang-up-on-mqtt5"])
def test_a_broker_that_knows_only_311_is_spoken_to_in_311(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start, mode: str
) -> None:
    gate = Gate(broker.port, mode)  # type: ignore[arg-type]  # the table's names are its modes
    publisher = start(MqttSettings(port=gate.port))
    sent = put(outbox, publisher, [samples.result_message(), samples.alarm_message()])
    wait_until(lambda: len(events(subscriber.heard)) == 2, what="events")
    assert sorted(ids(events(subscriber.heard))) == sorted(sent)
    gate.close()


def test_a_broker_that_acknowledges_nothing_is_left_and_the_event_sent_again(
    broker: Broker, subscriber: Subscriber, outbox: MemoryOutbox, start: Start
) -> None:
    gate = Gate(broker.port)
    publisher = start(MqttSettings(port=gate.port, ack_timeout_s=0.5))
    wait_until(lambda: publisher.stats().connected, what="connection")
    wait_until(lambda: len(subscriber.heard) == 1, what="birth")
    time.sleep(0.1)
    gate.mode = "swallow-acks"
    (sent,) = put(outbox, publisher, [samples.result_message()])
    wait_until(lambda: dict(publisher.stats().failed).get(Failure.TIMEOUT, 0) >= 1, what="timeout")
    gate.mode = "open"
    wait_until(lambda: outbox.stats().total_rows == 0, what="acknowledged")
    heard = ids(events(subscriber.heard))
    assert len(heard) >= 2
    assert set(heard) == {sent}
    gate.close()


def test_the_last_alarm_is_the_one_retained_also_after_an_outage(
    tmp_path: Path, outbox: MemoryOutbox, start: Start
) -> None:
    broker = Broker(tmp_path / "broker")
    states = ["unacknowledged", "acknowledged", "normal"]
    for state in states:
        outbox.put(samples.alarm_message(state=state))
    publisher = start(MqttSettings(port=broker.port))
    broker.start()
    wait_until(lambda: publisher.stats().published == 3, what="acknowledged")
    late = Subscriber(broker.port, samples.TOPICS.machine_alarm("fan-1"), client_id="late")
    wait_until(lambda: len(late.heard) == 1, what="retained")
    assert json.loads(late.heard[0].payload)["data"]["state"] == "normal"
    late.close()
    broker.stop()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    directory = tmp_path / "tls"
    directory.mkdir()
    script = """
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt \
  -subj /CN=test-ca -days 2 -addext basicConstraints=critical,CA:TRUE
for n in broker gw1; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.csr -subj /CN=$n
  printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\nextendedKeyUsage=serverAuth,clientAuth\\n' > ext
  openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out $n.crt -days 2 -extfile ext
done
"""
    subprocess.run(["sh", "-c", script], cwd=directory, check=True, capture_output=True)
    return directory


def test_tls_with_client_certificates_and_only_with_them(
    tmp_path: Path, certificates: Path, outbox: MemoryOutbox, start: Start
) -> None:
    listener = (
        f"cafile {certificates}/ca.crt\ncertfile {certificates}/broker.crt\nkeyfile {certificates}/broker.key\n"
        "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n"
    )
    broker = Broker(tmp_path / "broker", listener=listener)
    broker.start()
    ca_file = certificates / "ca.crt"
    stranger = start(MqttSettings(port=broker.port, tls=TlsSettings(ca_file=ca_file)))
    wait_until(lambda: sum(dict(stranger.stats().failed).values()) >= 2, what="refusals")
    assert stranger.stats().connects == 0
    stranger.stop(0.0)
    own = TlsSettings(ca_file=ca_file, cert_file=certificates / "gw1.crt", key_file=certificates / "gw1.key")
    publisher = start(MqttSettings(port=broker.port, tls=own))
    put(outbox, publisher, [samples.result_message() for _ in range(50)])
    wait_until(lambda: outbox.stats().total_rows == 0, what="acknowledged over TLS")
    assert publisher.stats().published == 50
    broker.stop()


def test_a_password_is_asked_for_and_never_shown(
    tmp_path: Path, outbox: MemoryOutbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "gw1", "s3cret-word"], check=True)
    broker = Broker(tmp_path / "broker", listener=f"allow_anonymous false\npassword_file {passwords}\n")
    broker.start()
    wrong = start(MqttSettings(port=broker.port, username="gw1", password="other-word"))
    wait_until(lambda: dict(wrong.stats().failed).get(Failure.REFUSED, 0) >= 1, what="refusal")
    wrong.stop(0.0)
    right = MqttSettings(port=broker.port, username="gw1", password="s3cret-word")
    publisher = start(right)
    wait_until(lambda: publisher.stats().connected, what="connection")
    assert "word" not in repr(right).replace("password", "")
    assert "s3cret-word" not in caplog.text
    broker.stop()


def test_a_topic_the_broker_forbids_stays_and_holds_nothing_else_up(
    tmp_path: Path, outbox: MemoryOutbox, start: Start
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(
        f"topic readwrite {samples.TOPICS.status}\ntopic readwrite {samples.TOPICS.machine_result('fan-1')}\n"
    )
    acl.chmod(0o600)
    broker = Broker(tmp_path / "broker", listener=f"allow_anonymous true\nacl_file {acl}\n")
    broker.start()
    publisher = start(MqttSettings(port=broker.port))
    put(outbox, publisher, [samples.alarm_message(), *[samples.result_message() for _ in range(30)]])
    wait_until(lambda: publisher.stats().published == 30, what="the allowed ones")
    stats = outbox.stats()
    assert (stats.rows[Priority.ALARM], stats.rows[Priority.RESULT]) == (1, 0)
    assert dict(publisher.stats().failed)[Failure.REFUSED] == 1
    broker.stop()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"port": 0}, "port"),
        ({"in_flight": 0}, "in_flight"),
        ({"backoff_max_s": 61.0}, "backoff_max_s"),
        ({"backlog_rate_per_s": 0.0}, "backlog_rate_per_s"),
        ({"password": "x"}, "username"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused_by_name(changes: dict[str, object], named: str) -> None:
    with pytest.raises(DeliveryError, match=named):
        MqttSettings(**changes)  # type: ignore[arg-type]  # the table is untyped


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"nowhere\.crt"):
        TlsSettings(ca_file=tmp_path / "nowhere.crt").context()
