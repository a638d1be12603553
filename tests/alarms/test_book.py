"""Episodes from raise to clear: ids, severity, acknowledgement, shelving, restart."""

from __future__ import annotations

import pytest

from edge_agent.alarms.alarm import AlarmKey, Kind, Severity
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.rules import AlarmRules
from edge_agent.alarms.states import Event, State
from tests.alarms.desk import FAN, Book, S


def test_an_episode_has_one_id_and_is_announced_once() -> None:
    desk = Book()
    (raised,) = desk.on(0)
    assert (raised.begun, raised.annunciated, raised.alarm.id, raised.alarm.raised_ns) == (True, True, "id1", 0)
    assert desk.on(10) == desk.on(20) == ()
    (cleared,) = desk.off(30)
    assert (cleared.event, cleared.alarm.id, cleared.alarm.cleared_ns) == (Event.CLEAR, "id1", 30 * S)
    assert cleared.alarm.state is State.RETURNED_UNACKNOWLEDGED
    assert not cleared.annunciated
    assert desk.off(40) == ()


def test_a_new_episode_after_a_long_time_has_a_new_id() -> None:
    desk = Book(AlarmRules(rejoin_s=100))
    desk.on(0)
    desk.off(10)
    (again,) = desk.on(200)
    assert (again.begun, again.alarm.id, again.alarm.reraised) == (True, "id2", 0)


def test_what_comes_back_soon_goes_on_with_its_episode() -> None:
    desk = Book(AlarmRules(rejoin_s=100))
    desk.on(0)
    desk.off(10)
    (again,) = desk.on(60)
    assert (again.begun, again.annunciated, again.alarm.id, again.alarm.reraised) == (False, True, "id1", 1)


def test_what_a_person_has_seen_and_comes_back_no_worse_calls_them_no_more() -> None:
    desk = Book()
    desk.on(0, Severity.HIGH)
    desk.act(Event.ACKNOWLEDGE, 5)
    desk.off(10)
    assert desk.state() == "normal"
    (again,) = desk.on(60)
    assert (desk.state(), again.annunciated, again.alarm.acknowledged_by) == ("acknowledged", False, "anna")


def test_a_step_up_calls_again_even_if_acknowledged_and_a_step_down_does_nothing() -> None:
    desk = Book()
    desk.on(0)
    desk.act(Event.ACKNOWLEDGE, 5)
    (worse,) = desk.on(10, Severity.CRITICAL)
    assert (worse.event, worse.annunciated, worse.alarm.state) == (Event.STEP_UP, True, State.UNACKNOWLEDGED)
    assert (worse.alarm.severity, worse.alarm.reraised, worse.alarm.text) == (Severity.CRITICAL, 1, "critical at 10")
    desk.act(Event.ACKNOWLEDGE, 15)
    assert desk.on(20, Severity.MEDIUM) == ()
    assert desk.book.alarm(FAN).severity is Severity.CRITICAL


def test_latching() -> None:
    desk = Book(AlarmRules(latch=True))
    desk.on(0)
    desk.act(Event.ACKNOWLEDGE, 5)
    desk.off(10)
    assert desk.state() == "latched"
    assert desk.act(Event.ACKNOWLEDGE, 20).alarm.state is State.NORMAL


def test_a_shelved_alarm_is_silent_until_its_time_is_over() -> None:
    desk = Book()
    desk.on(0)
    shelved = desk.act(Event.SHELVE, 10, until_s=100).alarm
    assert (shelved.state, shelved.shelved_until_ns, shelved.reason) == (State.SHELVED, 100 * S, "because")
    assert not any(change.annunciated for change in desk.on(20, Severity.CRITICAL))
    assert desk.book.tick(99 * S) == ()
    (over,) = desk.book.tick(100 * S)
    assert (over.annunciated, over.alarm.state, over.alarm.shelved_until_ns) == (True, State.UNACKNOWLEDGED, None)
    assert over.alarm.severity is Severity.CRITICAL
    assert desk.book.tick(101 * S) == ()


def test_shelved_before_anything_is_wrong() -> None:
    desk = Book()
    put_aside = desk.act(Event.SHELVE, 0, until_s=100).alarm
    (raised,) = desk.on(10)
    assert (raised.annunciated, raised.alarm.state, raised.alarm.id) == (False, State.SHELVED, put_aside.id)
    desk.off(20)
    (over,) = desk.book.tick(100 * S)
    assert (over.annunciated, over.alarm.state) == (False, State.NORMAL)


def test_out_of_service_until_somebody_puts_it_back() -> None:
    desk = Book()
    desk.act(Event.OUT_OF_SERVICE, 0)
    desk.on(10)
    assert desk.book.tick(10**9 * S) == ()
    assert desk.state() == "out_of_service"
    assert desk.act(Event.IN_SERVICE, 20).annunciated


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Event.ACKNOWLEDGE, "anomaly alarm of fan_1 is normal: there is nothing to acknowledge"),
        (Event.UNSHELVE, "it is not shelved"),
        (Event.IN_SERVICE, "it is not out of service"),
        (Event.SHELVE, "until some time in the future"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(event: Event, message: str) -> None:
    desk = Book()
    with pytest.raises(AlarmError, match=message):
        desk.act(event, 10, until_s=5)
    assert desk.book.alarms() == ()


def test_kinds_and_faults_of_one_machine_do_not_mix() -> None:
    desk = Book()
    hum, dead = (AlarmKey(Kind.INPUT_FAULT, "fan_1", fault) for fault in ("hum", "dead"))
    desk.on(0, Severity.LOW, hum)
    desk.act(Event.ACKNOWLEDGE, 1, hum)
    (second,) = desk.on(2, Severity.MEDIUM, dead)
    assert second.annunciated
    assert [desk.state(key) for key in (FAN, hum, dead)] == ["normal", "acknowledged", "unacknowledged"]
    assert len({alarm.id for alarm in desk.book.alarms()}) == 2


def test_learning_freezes_while_anything_of_the_machine_is_wrong() -> None:
    desk = Book()
    assert not desk.book.learning_frozen("fan_1")
    desk.on(0, key=AlarmKey(Kind.INPUT_FAULT, "fan_1", "muffled"))
    desk.act(Event.SHELVE, 1, AlarmKey(Kind.INPUT_FAULT, "fan_1", "muffled"), until_s=1000)
    assert desk.book.learning_frozen("fan_1")  # put aside by a person, and wrong all the same
    assert not desk.book.learning_frozen("fan_2")
    desk.off(10, key=AlarmKey(Kind.INPUT_FAULT, "fan_1", "muffled"))
    assert not desk.book.learning_frozen("fan_1")


def test_a_restart_goes_on_with_every_alarm() -> None:
    before = Book()
    before.on(0)
    before.act(Event.ACKNOWLEDGE, 5)
    after = Book(alarms=before.book.alarms(), first_id=50)
    assert after.on(100) == ()
    (cleared,) = after.off(110)
    assert (cleared.alarm.id, cleared.alarm.state) == ("id1", State.NORMAL)


def test_a_machine_that_is_configured_away_takes_its_alarms_with_it() -> None:
    desk = Book()
    desk.on(0)
    (change,) = desk.book.forget(["fan_1", "other"], now_ns=5)
    assert (change.event, change.alarm.active, change.alarm.state) == (Event.CLEAR, False, State.NORMAL)
    desk.book.drop(FAN)
    assert desk.book.alarms() == ()


@pytest.mark.parametrize("how", ["came back", "returned", "latched", "shelved", "out of service"])
def test_whatever_state_an_alarm_is_in_it_ends_with_its_machine(how: str) -> None:
    desk = Book(AlarmRules(latch=how == "latched"))
    desk.on(0)
    if how == "came back":  # its end would have to settle
        desk.off(10)
        desk.on(20)
    elif how in ("returned", "latched"):
        desk.off(10)
    elif how == "shelved":
        desk.act(Event.SHELVE, 10, until_s=9_000)
    else:
        desk.act(Event.OUT_OF_SERVICE, 10)
    (change,) = desk.book.forget(["fan_1"], now_ns=100 * S)
    assert (change.alarm.state, change.alarm.active, change.alarm.shelved_until_ns) == (State.NORMAL, False, None)
    assert change.alarm.changed_ns == 100 * S
    assert desk.book.forget(["fan_1"], now_ns=200 * S) == ()


def test_an_end_that_a_wrong_clock_stamped_in_the_future_rejoins_nothing() -> None:
    before = Book()
    before.on(10_000_000)
    before.off(10_000_010)
    after = Book(alarms=before.book.alarms(), first_id=50)
    (raised,) = after.on(100)
    assert (raised.begun, raised.annunciated, raised.alarm.id) == (True, True, "id50")


def test_a_clock_that_went_back_keeps_no_alarm_on() -> None:
    desk = Book()
    for now_s in (0, 20):
        desk.on(now_s)
        desk.off(now_s + 10)  # the second time it must settle
    assert desk.off(-50_000) == ()
    (cleared,) = desk.off(-50_000 + 120)
    assert cleared.event is Event.CLEAR


def test_a_label_is_kept_with_its_episode() -> None:
    desk = Book()
    with pytest.raises(AlarmError, match="never was on"):
        desk.book.label(FAN, "bearing", "anna")
    desk.on(0)
    assert desk.book.label(FAN, "bearing", "anna").alarm.label == "bearing"
    desk.off(10)
    assert desk.book.alarm(FAN).label == "bearing"
    desk.on(10_000)
    assert desk.book.alarm(FAN).label is None
