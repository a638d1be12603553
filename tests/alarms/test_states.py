"""The table of states, its coverage of the standard, and the document that shows it."""

from pathlib import Path
from typing import get_args

import pytest

from edge_agent.alarms.states import BY_PEOPLE, QUIET, TABLE, Event, State, markdown_table, next_state
from edge_agent.delivery.result import AlarmState
from edge_agent.observe.labels import ALARM_STATES

DOCUMENT = Path(__file__).parents[2] / "docs" / "alarms.md"


def test_states_are_spelt_as_in_the_events_and_metrics() -> None:
    words = [state.value for state in State]
    assert sorted(words) == sorted(get_args(AlarmState)) == sorted(ALARM_STATES)


def test_the_document_shows_the_table() -> None:
    assert markdown_table() in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ([Event.RAISE], State.UNACKNOWLEDGED),
        ([Event.RAISE, Event.ACKNOWLEDGE], State.ACKNOWLEDGED),
        ([Event.RAISE, Event.ACKNOWLEDGE, Event.CLEAR], State.NORMAL),
        ([Event.RAISE, Event.CLEAR], State.RETURNED_UNACKNOWLEDGED),
        ([Event.RAISE, Event.CLEAR, Event.RAISE], State.UNACKNOWLEDGED),
        ([Event.RAISE, Event.CLEAR, Event.ACKNOWLEDGE], State.NORMAL),
        ([Event.RAISE, Event.ACKNOWLEDGE, Event.STEP_UP], State.UNACKNOWLEDGED),
        ([Event.SHELVE, Event.RAISE], State.SHELVED),
        ([Event.RAISE, Event.SHELVE, Event.UNSHELVE], State.UNACKNOWLEDGED),
        ([Event.RAISE, Event.SHELVE, Event.CLEAR, Event.UNSHELVE], State.NORMAL),
        ([Event.OUT_OF_SERVICE, Event.RAISE, Event.STEP_UP], State.OUT_OF_SERVICE),
        ([Event.RAISE, Event.OUT_OF_SERVICE, Event.IN_SERVICE], State.UNACKNOWLEDGED),
        ([Event.RAISE, Event.SUPPRESS, Event.RELEASE], State.UNACKNOWLEDGED),
        ([Event.RAISE, Event.SUPPRESS, Event.CLEAR], State.NORMAL),
    ],
    ids=lambda value: " ".join(event.value for event in value) if isinstance(value, list) else "",
)
def test_paths_through_the_standard(path: list[Event], end: State) -> None:
    state, active = State.NORMAL, False
    for event in path:
        active = {Event.RAISE: True, Event.CLEAR: False}.get(event, active)
        state = next_state(state, event, active=active, latch=False) or state
    assert state is end


@pytest.mark.parametrize("before", [State.UNACKNOWLEDGED, State.ACKNOWLEDGED])
def test_a_latching_alarm_waits_for_a_person(before: State) -> None:
    latched = next_state(before, Event.CLEAR, active=False, latch=True)
    assert latched is State.LATCHED
    assert next_state(latched, Event.ACKNOWLEDGE, active=False, latch=True) is State.NORMAL


def test_no_state_is_a_trap_and_none_is_out_of_reach() -> None:
    def reach(start: State) -> set[State]:
        found, todo = {start}, [start]
        while todo:
            state = todo.pop()
            targets = {
                next_state(state, event, active=active, latch=latch)
                for event in TABLE[state]
                for active in (True, False)
                for latch in (True, False)
            }
            new = {target for target in targets if target is not None} - found
            found |= new
            todo += new
        return found

    assert reach(State.NORMAL) == set(State)
    assert all(State.NORMAL in reach(state) for state in State)


@pytest.mark.parametrize("state", QUIET)
def test_a_quiet_alarm_is_never_announced_by_its_condition(state: State) -> None:
    for event in (Event.RAISE, Event.STEP_UP):
        assert next_state(state, event, active=True, latch=False) is None


def test_people_have_a_way_out_of_every_state_that_they_put_an_alarm_in() -> None:
    assert next_state(State.SHELVED, Event.UNSHELVE, active=True, latch=False)
    assert next_state(State.OUT_OF_SERVICE, Event.IN_SERVICE, active=True, latch=False)
    assert set(BY_PEOPLE) < set(Event)
