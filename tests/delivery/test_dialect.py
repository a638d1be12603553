"""MQTT 5 first; 3.1.1 only where the broker is there and wants it."""

from __future__ import annotations

from edge_agent.delivery.dialect import Dialect


def test_a_broker_that_refuses_mqtt5_is_spoken_to_in_311_and_asked_again_after_a_loss() -> None:
    dialect = Dialect("auto")
    assert dialect.mqtt5
    assert dialect.refused()
    assert (dialect.mqtt5, dialect.trial) == (False, False)
    dialect.served()
    assert dialect.mqtt5


def test_a_broker_that_hangs_up_on_mqtt5_alone_is_spoken_to_in_311() -> None:
    dialect = Dialect("auto")
    assert dialect.hung_up()
    assert (dialect.mqtt5, dialect.trial) == (False, True)
    dialect.answered()
    assert dialect.mqtt5
    assert dialect.hung_up()
    assert (dialect.mqtt5, dialect.trial) == (False, False)


def test_a_broker_that_hung_up_because_it_was_starting_is_spoken_to_in_5() -> None:
    dialect = Dialect("auto")
    dialect.hung_up()
    dialect.answered()
    dialect.served()
    assert dialect.mqtt5


def test_a_broker_that_hangs_up_on_both_is_waited_for() -> None:
    dialect = Dialect("auto")
    assert [dialect.hung_up() for _ in range(4)] == [True, False, True, False]
    assert dialect.refused()
    assert not dialect.refused()


def test_what_the_settings_say_stays() -> None:
    for protocol, mqtt5 in (("5", True), ("3.1.1", False)):
        dialect = Dialect(protocol)  # type: ignore[arg-type]  # the table's names are its values
        assert not dialect.hung_up()
        assert not dialect.refused()
        dialect.served()
        assert (dialect.mqtt5, dialect.trial) == (mqtt5, False)
