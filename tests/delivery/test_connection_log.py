"""A line for each change, and few for a connection that comes and goes."""

from __future__ import annotations

import logging

import pytest

from edge_agent.delivery.connection_log import STEADY_S, UNSTEADY_LOSSES, ConnectionLog
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.mqtt_settings import Endpoint

A, B = Endpoint("a", 1), Endpoint("b", 2)


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edge_agent.delivery")


def test_each_cause_of_an_outage_is_told_once_for_each_broker(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("gw")
    for now_s in range(50):
        log.lost(now_s, A, Failure.CONNECT, "away")
        log.lost(now_s, B, Failure.TLS if now_s % 2 else Failure.REFUSED, "expired")
    assert caplog.messages == [
        "no connection to MQTT broker a:1 (away); events wait in the outbox",
        "MQTT broker b:2: expired",
        "MQTT broker b:2: expired",
    ]
    log.reached(60.0, A, "5")
    log.lost(60.0 + STEADY_S, A, Failure.CONNECT, "away")
    assert len(caplog.messages) == 5


def test_a_connection_that_comes_and_goes_is_told_until_it_is_clear_and_again_when_it_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = ConnectionLog("gw")
    for number in range(1000):
        log.reached(number * 2.0, A, "5")
        log.holds(number * 2.0 + 1.0, A)
        log.lost(number * 2.0 + 1.0, A, Failure.TAKEN_OVER, "another client")
        assert log.unsteady == (number + 1 >= UNSTEADY_LOSSES)
    assert len(caplog.messages) == 2 * UNSTEADY_LOSSES
    assert "lost again and again (another client)" in caplog.messages[-1]
    log.reached(3000.0, A, "5")
    log.holds(3000.0 + STEADY_S - 1, A)
    assert len(caplog.messages) == 2 * UNSTEADY_LOSSES
    log.holds(3000.0 + STEADY_S, A)
    log.holds(3001.0 + STEADY_S, A)
    assert caplog.messages[2 * UNSTEADY_LOSSES :] == ["the connection to MQTT broker a:1 holds again"]
    assert not log.unsteady
    log.lost(4000.0, A, Failure.CONNECT, "away")
    assert caplog.messages[-1].startswith("no connection to MQTT broker a:1 (away)")


def test_a_broker_that_gives_no_reason_leaves_a_doubt(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("gw")
    for now_s in range(UNSTEADY_LOSSES):
        log.reached(now_s, A, "3.1.1")
        log.lost(now_s, A, Failure.CONNECT, "connection lost")
    assert "lost again and again (connection lost; does another client use the client id gw?)" in caplog.messages[-1]


def test_a_loss_now_and_then_is_no_unsteady_connection(caplog: pytest.LogCaptureFixture) -> None:
    log = ConnectionLog("gw")
    for number in range(20):
        log.reached(number * 100.0, A, "5")
        log.holds(number * 100.0 + STEADY_S, A)
        log.lost(number * 100.0 + STEADY_S, A, Failure.CONNECT, "away")
        assert not log.unsteady
    assert len(caplog.messages) == 40
