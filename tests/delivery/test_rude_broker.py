"""The publisher at a broker that breaks the rules, byte by byte: no end, no flood, and a reason told."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.delivery.connection_log import UNSTEADY_LOSSES
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.letters import MAX_ANSWERS
from edge_agent.delivery.mqtt import MqttSettings, Publisher
from edge_agent.delivery.outbox import MemoryOutbox
from edge_agent.delivery.signals import Letter, Received
from edge_agent.delivery.status import GatewayStatus
from tests.delivery import samples
from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.rude_broker import (
    CONNACK,
    CONNACK_311,
    Caller,
    Manners,
    RudeBroker,
    disconnect,
    packet,
    text,
    variable,
)

TOPIC = samples.TOPICS.command("shelve")
START_S = 0.01
MOST_S = 0.1


class Ears:
    """Keeps what comes."""

    filters = (samples.TOPICS.commands,)

    def __init__(self, letters: int = 0) -> None:
        self.heard: list[Received] = []
        self._letters = letters

    def opened(self) -> tuple[Letter, ...]:
        return tuple(Letter(f"discovery/{number}", b"{}") for number in range(self._letters))

    def received(self, message: Received) -> tuple[Letter, ...]:
        self.heard.append(message)
        return (Letter("answers/me", b"no", retain=False, answer=True),)

    def delivered(self, topic: str) -> None:
        """What was said arrived."""


class Line:
    """A publisher with five results to send, and the rude broker."""

    def __init__(self, manners: Manners, **settings: object) -> None:
        self.broker, self.outbox, self.ears = (
            RudeBroker(manners),
            MemoryOutbox(),
            Ears(int(str(settings.pop("letters", 0)))),
        )
        for _ in range(5):
            self.outbox.put(samples.result_message())
        usual = {"host": "127.0.0.1", "port": self.broker.port, "backoff_min_s": START_S, "backoff_max_s": MOST_S}
        self.publisher = Publisher(
            MqttSettings(**{**usual, **settings}),  # type: ignore[arg-type]  # whatever a test changes
            samples.TOPICS,
            self.outbox,
            GatewayStatus(samples.factory(), samples.facts, time.time_ns),
            jitter=lambda: 0.0,
            wall_ns=time.time_ns,
            mailbox=self.ears,
        )
        self.publisher.start()

    def failed(self, failure: Failure) -> int:
        return dict(self.publisher.stats().failed).get(failure, 0)

    def refused(self, operation: str, reason: str) -> int:
        return dict(self.publisher.stats().refused).get((operation, reason), 0)

    def close(self) -> None:
        self.publisher.stop(0.0)
        self.broker.close()


@pytest.fixture
def begin(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Line]]:
    caplog.set_level(logging.INFO, "edge_agent.delivery")
    lines: list[Line] = []

    def start(manners: Manners, **settings: object) -> Line:
        lines.append(Line(manners, **settings))
        return lines[-1]

    yield start
    for line in lines:
        line.close()


def after_welcome(data: bytes, *, stay: bool = False) -> Manners:
    def manners(caller: Caller) -> None:
        caller.send(CONNACK)
        caller.answer(caller.read())  # the birth
        caller.send(data)
        if stay:
            caller.serve()

    return manners


NO_WELCOME: dict[str, bytes] = {
    "nothing": b"",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no end of a length": b"\xff" * 100,
    "half a welcome": b"\x20\x03\x00",
    "a welcome with a reason that there is not": b"\x20\x03\x00\x7b\x00",
    "properties cut short": b"\x20\x05\x00\x00\x09\x21\x00",
}


@pytest.mark.parametrize("name", NO_WELCOME)
def test_a_broker_that_makes_no_sense_is_tried_again_and_told_once(
    begin: Callable[..., Line], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    line = begin(lambda caller: caller.send(NO_WELCOME[name]))
    wait_until(lambda: line.failed(Failure.CONNECT) >= 50, 30.0, "50 attempts")
    assert {caller.mqtt5 for caller in line.broker.callers} == {True, False}
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is None
    assert line.outbox.stats().total_rows == 5


def test_a_broker_that_says_nothing_is_left_after_a_while(begin: Callable[..., Line]) -> None:
    line = begin(lambda caller: caller.serve(), connect_timeout_s=0.5)
    wait_until(lambda: line.failed(Failure.TIMEOUT) >= 2, 30.0, "two times")
    assert all(caller.mqtt5 for caller in line.broker.callers)  # silence is no word against MQTT 5


SENT_AWAY: dict[str, tuple[bytes, str]] = {
    "reason and words": (disconnect(0x98, b"\x1f" + text("night\nshift")), "Administrative action: nightshift"),
    "another server": (disconnect(0x9D, b"\x1c" + text("b:1883")), "it names b:1883, which is not followed"),
    "QoS 2": (packet(0x34, text(TOPIC) + b"\x00\x01\x00{}"), "it sends a message with QoS 2"),
    "an acknowledgement cut short": (b"\x40\x01\x33", "Protocol error"),
}


@pytest.mark.parametrize("name", SENT_AWAY)
def test_a_broker_that_welcomes_and_sends_away_is_damped_and_told_why(
    begin: Callable[..., Line], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    data, said = SENT_AWAY[name]
    line = begin(after_welcome(data))
    wait_until(lambda: len(line.broker.came_s) > UNSTEADY_LOSSES, 30.0, "more than some connections")
    # by the settings it would come twenty times a second
    assert line.broker.came_s[-1] - line.broker.came_s[-2] > 1.0
    assert len(caplog.records) == 2 * UNSTEADY_LOSSES
    assert all(said in record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert "lost again and again" in caplog.messages[-1]


@pytest.mark.parametrize("hangs_up", [1, 2, 3])
def test_a_broker_that_hung_up_while_it_started_is_spoken_to_in_5(begin: Callable[..., Line], hangs_up: int) -> None:
    def manners(caller: Caller) -> None:
        if len(line.broker.came_s) > hangs_up:
            caller.send(CONNACK if caller.mqtt5 else CONNACK_311)
            caller.serve()

    line = begin(manners)
    wait_until(lambda: line.outbox.stats().total_rows == 0, 30.0, "results sent")
    assert line.broker.callers[-1].mqtt5
    for caller in line.broker.callers[:-1]:  # what was tried on the way said nothing, and left no will behind
        assert [said[0] & 0xF0 for said in caller.said[1:]] in ([], [0xE0])


def test_a_broker_that_hangs_up_on_5_alone_is_spoken_to_in_311(begin: Callable[..., Line]) -> None:
    def manners(caller: Caller) -> None:
        if not caller.mqtt5:
            caller.send(CONNACK_311)
            caller.serve()

    line = begin(manners)
    wait_until(lambda: line.outbox.stats().total_rows == 0, 30.0, "results sent")
    assert [caller.mqtt5 for caller in line.broker.callers] == [True, False, True, False]
    assert line.publisher.stats().connects == 1


def test_a_broker_that_takes_nothing_is_tried_less_and_less_often(begin: Callable[..., Line]) -> None:
    line = begin(after_welcome(disconnect(0x97)), backoff_min_s=0.1, backoff_max_s=10.0)
    wait_until(lambda: len(line.broker.came_s) == UNSTEADY_LOSSES, 30.0, "some connections")
    waits_s = [after - before for before, after in itertools.pairwise(line.broker.came_s)]
    assert waits_s[-1] >= 0.1 * 2 ** (UNSTEADY_LOSSES - 2) / 2
    assert line.outbox.stats().total_rows == 5


def test_two_gateways_with_one_client_id_are_told_what_to_do(
    begin: Callable[..., Line], caplog: pytest.LogCaptureFixture
) -> None:
    line = begin(after_welcome(disconnect(0x8E)))
    wait_until(lambda: line.failed(Failure.TAKEN_OVER) >= 2, 30.0, "taken over")
    assert line.refused("disconnect", "session_taken_over") >= 2
    assert "another client came with the client id edge-agent-north-gw1" in caplog.text
    assert "mqtt.client_id, of its own" in caplog.text


@needs_mosquitto
def test_two_publishers_of_one_client_id_at_a_real_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edge_agent.delivery")
    with Broker(tmp_path / "broker") as broker:
        broker.start()
        pair = [
            Publisher(
                MqttSettings(host="127.0.0.1", port=broker.port, backoff_min_s=0.05),
                samples.TOPICS,
                MemoryOutbox(),
                GatewayStatus(samples.factory(), samples.facts, time.time_ns),
                jitter=lambda: 0.5,
                wall_ns=time.time_ns,
            )
            for _ in range(2)
        ]
        for publisher in pair:
            publisher.start()
        wait_until(lambda: "does another client use the client id edge-agent-north-gw1?" in caplog.text, 60.0, "told")
        for publisher in pair:
            publisher.stop(0.0)


def test_a_subscription_that_is_refused_is_told(begin: Callable[..., Line], caplog: pytest.LogCaptureFixture) -> None:
    def manners(caller: Caller) -> None:
        caller.send(CONNACK)
        while said := caller.read():
            if said[0] & 0xF0 == 0x80:
                caller.send(packet(0x90, said[1:3] + b"\x00\x87"))
            else:
                caller.answer(said)

    line = begin(manners)
    wait_until(lambda: line.outbox.stats().total_rows == 0, what="results sent all the same")
    wait_until(lambda: line.refused("subscribe", "not_authorized") == 1, what="counted")
    assert f"the broker refuses to subscribe {samples.TOPICS.commands} (not_authorized)" in caplog.text


def test_a_message_of_a_hundred_megabytes_is_heard_of_and_holds_nothing_up(begin: Callable[..., Line]) -> None:
    size = 100_000_000
    head = text(TOPIC) + b"\x00\x01" + variable(13) + b"\x08" + text("answers/me")

    def manners(caller: Caller) -> None:
        caller.send(CONNACK)
        caller.answer(caller.read())
        caller.send(b"\x32" + variable(len(head) + size) + head)
        for _ in range(size // 1_000_000):
            caller.send(b"x" * 1_000_000)
        caller.serve()

    line = begin(manners)
    wait_until(lambda: line.outbox.stats().total_rows == 0, 60.0, "results acknowledged behind it")
    (heard,) = line.ears.heard
    assert (heard.topic, heard.response_topic) == (TOPIC, "answers/me")
    assert 4096 < len(heard.payload) < 100_000
    assert line.publisher.stats().failed == ()
    wait_until(lambda: any(said[0] == 0x40 for said in line.broker.callers[0].said), what="acknowledged")


def test_no_more_is_sent_at_once_than_the_broker_takes(begin: Callable[..., Line]) -> None:
    """Birth, discovery and events count together."""
    under_way: list[int] = []

    def manners(caller: Caller) -> None:
        caller.send(packet(0x20, b"\x00\x00\x03\x21\x00\x02"))  # receive maximum 2
        held: list[bytes] = []
        while True:
            if not caller.more(0.1):  # all has come that comes unanswered
                for each in held:
                    caller.answer(each)
                held.clear()
            said = caller.read()
            if said[0] & 0xF6 == 0x32:
                held.append(said)
                under_way.append(len(held))
            else:
                caller.answer(said)

    begin(manners, letters=10)
    wait_until(lambda: len(under_way) == 1 + 10 + 5, 30.0, "all sent")
    assert max(under_way) == 2


def test_answers_that_nobody_takes_do_not_pile_up(begin: Callable[..., Line]) -> None:
    def manners(caller: Caller) -> None:
        caller.send(CONNACK)
        caller.answer(caller.read())  # the birth
        caller.send(packet(0x30, text(TOPIC) + b"\x00{}") * 500)
        while True:
            said = caller.read()
            if b"answers/me" not in said:
                caller.answer(said)

    line = begin(manners)
    wait_until(lambda: len(line.ears.heard) == 500, 30.0, "all heard")
    wait_until(lambda: line.outbox.stats().total_rows == 0, 30.0, "events sent all the same")
    assert sum(b"answers/me" in said for said in line.broker.callers[0].said) == MAX_ANSWERS


def test_what_a_broker_welcomes_with_is_borne(begin: Callable[..., Line]) -> None:
    """A server keep alive of a second, a client id of its own making, and a second welcome."""

    def manners(caller: Caller) -> None:
        welcome = packet(0x20, b"\x00\x00\x09\x13\x00\x01\x12\x00\x03abc")
        caller.send(welcome + welcome)
        caller.serve()

    line = begin(manners)
    wait_until(lambda: line.outbox.stats().total_rows == 0, what="results sent")
    wait_until(lambda: any(said[0] == 0xC0 for said in line.broker.callers[0].said), 10.0, "a ping within a second")
    assert line.publisher.stats().connects == 1
