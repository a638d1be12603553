"""Most machines at once are one event of the plant."""

from __future__ import annotations

import pytest

from edge_agent.alarms.alarm import PLANT, AlarmKey, Change, Condition, Kind, Severity
from edge_agent.alarms.plant import PlantRules
from edge_agent.alarms.rules import AlarmRules
from edge_agent.alarms.states import Event, State
from tests.alarms.desk import Book, S

MACHINES = ("fan_1", "fan_2", "pump_1", "pump_2", "valve_1")


class Plant(Book):
    """Five machines whose windows end a second after each other, every ten seconds."""

    def play(self, rows: dict[str, str], first: int = 0) -> list[Change]:
        """A letter for each window: `.` normal, `s` suspect, `A` anomalous as an alarm demands."""
        changes: list[Change] = []
        for index in range(len(next(iter(rows.values())))):
            for place, (name, row) in enumerate(rows.items()):
                now_ns = ((first + index) * 10 + place) * S
                condition = Condition(Severity.MEDIUM, f"{name} is odd") if row[index] == "A" else None
                changes += self.book.observe(key(name), condition, now_ns=now_ns, suspect=row[index] == "s")
        return changes

    def states(self) -> list[str]:
        return [self.state(key(name)) for name in MACHINES]


def key(name: str) -> AlarmKey:
    return AlarmKey(Kind.ANOMALY, name)


def announced(changes: list[Change]) -> list[AlarmKey]:
    return [change.alarm.key for change in changes if change.annunciated]


def test_all_rise_at_once_and_one_alarm_is_heard() -> None:
    plant = Plant()
    changes = plant.play({name: "..sAAA" for name in MACHINES})
    assert announced(changes) == [PLANT]
    assert plant.book.alarm(PLANT).machines == tuple(sorted(MACHINES))
    assert all(name in plant.book.alarm(PLANT).text for name in MACHINES)
    assert plant.states() == ["suppressed"] * 5
    assert plant.book.learning_frozen("fan_1")


def test_they_fall_silent_one_after_the_other_and_none_is_heard_for_it() -> None:
    plant = Plant()
    plant.play({name: "..sAAA" for name in MACHINES})
    rows = {name: "A" * (index + 1) + "." * (12 - index) for index, name in enumerate(MACHINES)}
    changes = plant.play(rows, first=6)
    assert announced(changes) == []
    assert plant.states() == ["normal"] * 5
    assert plant.state(PLANT) == "returned_unacknowledged"


def test_machines_that_stay_odd_after_it_are_heard_singly() -> None:
    plant = Plant()
    plant.play({name: "..sAAA" for name in MACHINES})
    rows = {name: "." * 20 for name in MACHINES} | {"pump_1": "A" * 20}
    changes = plant.play(rows, first=6)
    assert announced(changes) == [key("pump_1")]
    assert plant.states() == ["normal", "normal", "unacknowledged", "normal", "normal"]
    assert not plant.book.alarm(PLANT).active


@pytest.mark.parametrize(
    ("rows", "heard"),
    [
        ({"fan_1": "..sAAA", "fan_2": "..sAAA"}, [key("fan_1"), key("fan_2")]),
        ({"fan_1": "A" + "A" * 30, "fan_2": "." * 15 + "A" * 16, "pump_1": "." * 30 + "A"}, None),
        ({}, []),
    ],
    ids=["two of five", "one after the other", "none"],
)
def test_what_is_no_plant_event(rows: dict[str, str], heard: list[AlarmKey] | None) -> None:
    plant = Plant()
    windows = len(next(iter(rows.values()), "......"))
    changes = plant.play({name: rows.get(name, "." * windows) for name in MACHINES})
    assert announced(changes) == ([key(name) for name in rows] if heard is None else heard)
    assert plant.state(PLANT) == "normal"


def test_alarms_raised_before_the_majority_is_reached_are_taken_back() -> None:
    plant = Plant()
    changes = plant.play({name: "." * (3 * index) + "A" * (15 - 3 * index) for index, name in enumerate(MACHINES)})
    assert announced(changes) == [key("fan_1"), key("fan_2"), PLANT]
    assert plant.states()[:3] == ["suppressed"] * 3


def test_a_shelved_machine_stays_shelved() -> None:
    plant = Plant()
    plant.act(Event.SHELVE, 0, key("fan_1"), until_s=10_000)
    plant.play({name: "..sAAA" for name in MACHINES})
    assert plant.states() == ["shelved"] + ["suppressed"] * 4


def test_a_plant_event_goes_on_after_a_restart() -> None:
    before = Plant()
    before.play({name: "..sAAA" for name in MACHINES})
    after = Plant(alarms=before.book.alarms(), first_id=50)
    assert after.play({name: "AAA" for name in MACHINES}, first=10) == []
    assert after.states() == ["suppressed"] * 5
    after.play({name: "." * 3 for name in MACHINES}, first=13)
    assert after.book.alarm(PLANT).id == before.book.alarm(PLANT).id
    assert after.book.alarm(PLANT).state is State.RETURNED_UNACKNOWLEDGED


def test_turned_off() -> None:
    plant = Plant(AlarmRules(plant=PlantRules(machines=0)))
    changes = plant.play({name: "..sAAA" for name in MACHINES})
    assert announced(changes) == [key(name) for name in MACHINES]


def test_alarms_that_went_on_over_a_restart_do_not_rise_at_once() -> None:
    before = Plant()
    for first, name in enumerate(MACHINES[:4]):
        before.play({name: "..sAAA"}, first=100 * first)  # each for itself, a quarter of an hour apart
    after = Plant(alarms=before.book.alarms(), first_id=50)
    rows = {name: "AAA" if name in MACHINES[:4] else "..." for name in MACHINES}
    assert after.play(rows, first=500) == []
    assert after.states() == ["unacknowledged"] * 4 + ["normal"]


def test_machines_that_are_heard_again_do_not_rise_at_once() -> None:
    plant = Plant()
    for first, name in enumerate(MACHINES[:4]):
        rows = {other: "A" * 6 if other in MACHINES[:first] else "." * 6 for other in MACHINES} | {name: "..sAAA"}
        plant.play(rows, first=100 * first)
    assert plant.play({MACHINES[4]: "." * 60}, first=400) == []  # the others' interface is unplugged
    assert plant.play({name: "AAA" for name in MACHINES[:4]}, first=460) == []
    assert plant.state(PLANT) == "normal"


@pytest.mark.parametrize("aside", [Event.SHELVE, Event.OUT_OF_SERVICE])
def test_what_a_person_put_aside_counts_neither_way(aside: Event) -> None:
    plant = Plant()
    for name in MACHINES[:3]:
        plant.act(aside, 0, key(name), until_s=100_000)
    changes = plant.play({name: "..sAAA" if name in MACHINES[:3] else "......" for name in MACHINES})
    assert announced(changes) == []  # the three that were put aside would be most
    assert plant.state(PLANT) == "normal"
    six = (*MACHINES, "fan_9")
    changes = plant.play({name: "..sAAA" if name not in MACHINES[:3] else "......" for name in six}, first=60)
    assert announced(changes) == [PLANT]  # all of those that count
    assert plant.book.alarm(PLANT).machines == ("fan_9", "pump_2", "valve_1")


def test_back_in_service_it_does_not_rise_anew() -> None:
    plant = Plant()
    for name in MACHINES[:4]:
        plant.act(Event.OUT_OF_SERVICE, 0, key(name))
        plant.play({name: "..sAAA"}, first=0)
    plant.play({name: "A" if name in MACHINES[:4] else "." for name in MACHINES}, first=10)
    for name in MACHINES[:4]:
        plant.act(Event.IN_SERVICE, 200, key(name))
    plant.play({name: "AAA" if name in MACHINES[:4] else "..." for name in MACHINES}, first=21)
    assert plant.state(PLANT) == "normal"


def test_a_member_that_is_configured_away_is_named_no_more() -> None:
    plant = Plant()
    plant.play({name: "..sAAA" for name in MACHINES})
    plant.book.forget(["fan_1"], now_ns=60 * S)
    left = MACHINES[1:]
    plant.play({name: "A" for name in left}, first=6)
    assert plant.book.alarm(PLANT).machines == tuple(sorted(left))


def test_a_clock_that_is_set_ends_no_event_and_begins_none() -> None:
    plant = Plant()
    plant.play({name: "..sAAA" for name in MACHINES[:4]} | {MACHINES[4]: "......"})
    year = 31_536_000
    plant.book.clock_moved(year * S, ())
    rows = {MACHINES[4]: "."} | {name: "A" for name in MACHINES[:4]}
    assert plant.play(rows, first=6 + year // 10) == []
    assert plant.book.alarm(PLANT).active


@pytest.mark.parametrize("aside", [Event.SHELVE, Event.OUT_OF_SERVICE])
def test_a_plant_event_that_is_put_aside_silences_no_machine(aside: Event) -> None:
    plant = Plant()
    plant.act(aside, 0, PLANT, until_s=100_000)
    changes = plant.play({name: "..sAAA" for name in MACHINES})
    assert announced(changes) == [key(name) for name in MACHINES]


def test_shelved_while_it_lasts_it_keeps_its_machines_quiet() -> None:
    plant = Plant()
    plant.play({name: "..sAAA" for name in MACHINES})
    plant.act(Event.SHELVE, 60, PLANT, until_s=100_000)
    assert announced(plant.play({name: "AAAA" for name in MACHINES}, first=6)) == []
