"""Alarms of a running agent: events, disk, restart, faults of the input, plant events."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.agent.alarming.conditions import FAULTS, ConditionRules
from edge_agent.agent.alarming.papers import AlarmPapers
from edge_agent.alarms.alarm import PLANT, AlarmKey, Kind
from edge_agent.alarms.errors import AlarmError
from edge_agent.alarms.history import history
from edge_agent.alarms.rules import Action
from edge_agent.alarms.states import Event
from edge_agent.capture.clock import NS_PER_S, VirtualClock
from edge_agent.config.alarms import Fault
from edge_agent.delivery.message import Priority
from edge_agent.detection.alarm import AlarmMachine
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.verdict import HealthCode, HealthFinding
from edge_agent.pipeline.listener import Heard
from tests.agent.alarming.desk import Desk
from tests.support.windows import START_NS, event, heard

FAN = AlarmKey(Kind.ANOMALY, "fan_1")


def again(desk: Desk) -> Desk:
    """The next life of an agent that was killed."""
    clock = VirtualClock(wall_ns=desk.clock.wall_ns() + 60 * NS_PER_S)
    fresh = Desk(state_dir=desk.state_dir, clock=clock, randomness=lambda size: b"\1" * size)
    for episode in fresh.desk.episodes().values():
        fresh.alarms = AlarmMachine(AlarmBudget(raise_after=3, raise_within=5), episode)
    fresh.desk.resume()
    return fresh


def faulty(desk: Desk, index: int, *codes: HealthCode) -> None:
    """A normal window with faults of its input."""
    made = heard("fan_1", index, 0.5, desk.alarms)
    assert made.verdict is not None
    findings = tuple(HealthFinding(code, False, f"{code.value} was found") for code in codes)
    made = replace(made, verdict=replace(made.verdict, health=findings))
    desk.reporter.window(event("mic", index, made))


def faults(desk: Desk) -> list[tuple[str, str, str]]:
    sent = [data for data in desk.sent(Priority.ALARM) if data["kind"] == "input_fault"]
    return [(data["fault"], data["change"], data["state"]) for data in sent]


def test_an_alarm_explains_itself() -> None:
    desk = Desk()
    desk.play([0.5] * 30 + [9.0] * 3)
    (alarm,) = desk.sent(Priority.ALARM, "/machine/fan_1/alarm")
    assert (alarm["kind"], alarm["severity"], alarm["change"], alarm["announce"]) == ("anomaly", "high", "raise", True)
    assert alarm["anomaly"]["score"] == 9.0
    assert "fan_1" in alarm["text"]
    assert 0 <= alarm["trend"]["index"] <= 1
    assert "clip" not in alarm
    desk.desk.clips_kept("fan_1", alarm["alarm"], clip="c1", before="n1", after="c1")
    update = desk.sent(Priority.ALARM)[-1]
    assert (update["change"], update["clip"], update["spectrogram_before"]) == ("update", "c1", "n1")
    desk.desk.clips_kept("fan_1", "another", clip="c2", before=None, after=None)
    assert len(desk.sent(Priority.ALARM)) == 2


def test_a_person_acts_and_results_tell_the_true_state() -> None:
    desk = Desk()
    desk.play([9.0] * 4)
    desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna", "known"))
    desk.play([9.0], first=4)
    assert desk.sent(Priority.RESULT)[-1]["alarm"]["state"] == "acknowledged"
    told = desk.sent(Priority.ALARM)[-1]
    assert (told["operator"], told["acknowledged_by"], told["reason"]) == ("anna", "anna", "known")
    assert told["anomaly"]["score"] == 9.0  # explained as it was
    desk.desk.act(FAN, Action(Event.OUT_OF_SERVICE, "anna"))
    desk.play([30.0] * 5, first=5)
    results = desk.sent(Priority.RESULT)
    assert [result["anomaly"]["score"] for result in results[-5:]] == [30.0] * 5  # results go on
    assert results[-1]["alarm"]["state"] == "out_of_service"
    assert not any(data["announce"] for data in desk.sent(Priority.ALARM)[2:])


def test_a_louder_fault_calls_again() -> None:
    desk = Desk()
    desk.play([4.0] * 4)
    desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    desk.play([30.0] * 3, first=4)
    first, _, *steps = desk.sent(Priority.ALARM)
    assert first["severity"] == "medium"
    assert [(step["change"], step["severity"], step["announce"]) for step in steps] == [("step_up", "critical", True)]
    assert steps[0]["reraised"] == 1


def test_killed_and_started_again_an_alarm_goes_on_with_its_id() -> None:
    first = Desk()
    first.play([9.0] * 4)
    first.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    first.desk.tick()
    second = again(first)
    assert second.sent(Priority.ALARM) == []  # all was told
    second.play([9.0] * 2, first=100)
    assert second.sent(Priority.RESULT)[0]["alarm"] == {"id": first.desk.alarm(FAN).id, "state": "acknowledged"}
    second.play([0.1] * 6, first=102)
    (cleared,) = second.sent(Priority.ALARM)
    assert (cleared["change"], cleared["state"], cleared["alarm"]) == (
        "clear", "normal", first.sent(Priority.ALARM)[0]["alarm"],
    )  # fmt: skip


def test_what_was_kept_and_not_told_is_told_by_the_next_life() -> None:
    first = Desk()
    first.outbox.close()  # the disk refuses from now on
    first.play([9.0] * 4)
    second = again(first)
    (told,) = second.sent(Priority.ALARM)
    assert (told["state"], told["raised_at"]) == ("unacknowledged", "2023-11-14T22:13:40.000000Z")
    assert (told["change"], told["announce"]) == ("raise", True)  # nobody was called for it yet
    second.desk.close()
    assert again(second).sent(Priority.ALARM) == []


def test_killed_between_the_disk_and_the_outbox_a_person_is_called_and_the_history_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Desk()
    with monkeypatch.context() as patch:
        patch.setattr(AlarmPapers, "note", lambda *_: None)  # killed before it
        first.outbox.close()
        first.play([9.0] * 4)
    second = again(first)
    assert [(data["change"], data["announce"]) for data in second.sent(Priority.ALARM)] == [("raise", True)]
    third = again(second)  # killed before the alarm was noted as told
    assert [data["change"] for data in third.sent(Priority.ALARM)] == ["raise"]
    assert [entry.event for entry in history(first.state_dir).read()] == [Event.RAISE]


def test_a_file_of_the_version_before_is_read_and_what_it_had_not_told_calls_a_person() -> None:
    first = Desk()
    first.outbox.close()
    first.play([9.0] * 4)
    path = first.state_dir / "alarms.json"
    kept = json.loads(path.read_text())
    for alarm in kept["alarms"]:
        del alarm["untold"], alarm["shown"]
    path.write_text(json.dumps(kept))
    (told,) = again(first).sent(Priority.ALARM)
    assert (told["state"], told["change"], told["announce"]) == ("unacknowledged", "update", True)


def test_a_person_who_acted_is_not_called_for_what_was_not_told() -> None:
    first = Desk()
    first.outbox.close()
    first.play([9.0] * 4)
    first.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    (told,) = again(first).sent(Priority.ALARM)
    assert (told["state"], told["change"], told["announce"]) == ("acknowledged", "acknowledge", False)


def test_what_is_held_is_not_handed_over_again_and_again() -> None:
    desk = Desk()
    desk.outbox.close()
    desk.play([9.0] * 4)
    held = desk.intake.held
    for _ in range(20):
        desk.desk.tick()
    assert desk.intake.held == held


def test_what_explains_an_alarm_survives_a_restart() -> None:
    first = Desk()
    first.play([0.5] * 30 + [9.0] * 4)
    first.desk.clips_kept("fan_1", first.desk.alarm(FAN).id, clip="c1", before="n1", after="c1")
    first.desk.close()
    second = again(first)
    second.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))  # before anything is heard
    told = second.sent(Priority.ALARM)[-1]
    former = first.sent(Priority.ALARM)[-1]
    assert {key: told[key] for key in ("anomaly", "trend", "text")} == {
        key: former[key] for key in ("anomaly", "trend", "text")
    }
    assert (told["clip"], told["spectrogram_before"], told["spectrogram_after"]) == ("c1", "n1", "c1")
    assert told["anomaly"]["score"] == 9.0
    second.desk.clips_kept("fan_1", told["alarm"], clip="c2", before="n2", after="c2")
    told = second.sent(Priority.ALARM)[-1]
    assert (told["clip"], told["spectrogram_after"]) == ("c1", "c2")  # the first one stays the first


def test_an_alarm_that_lasts_is_said_anew_each_hour() -> None:
    desk = Desk()
    desk.play([5.0] * 4)
    desk.play([5.5] * (2 * 360), first=4)
    desk.play([0.5] * 3, first=724)  # a quiet moment is no reason to say that it sounds normal
    told = desk.sent(Priority.ALARM)
    assert [(data["change"], data["announce"]) for data in told] == [
        ("raise", True), ("update", False), ("update", False),
    ]  # fmt: skip
    assert "for 60 minutes" in told[1]["text"]
    assert told[1]["anomaly"]["score"] == 5.5
    assert told[0]["raised_at"] == told[2]["raised_at"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 9}', b"\xff" * 100])
def test_a_damaged_file_is_set_aside_and_counted(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    first = Desk()
    first.play([9.0] * 4)
    (first.state_dir / "alarms.json").write_bytes(content)
    second = again(first)
    assert second.value("alarm_store_failures_total", operation="damaged") == 1
    assert [path.read_bytes() for path in second.state_dir.glob("alarms.json.damaged-*")] == [content]
    assert "set aside" in caplog.text
    second.play([9.0] * 3)
    assert second.sent(Priority.ALARM)[0]["change"] == "raise"


def test_a_disk_that_fails_stops_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    shutil.rmtree(desk.state_dir)
    desk.play([4.0] * 4 + [30.0] * 3)
    assert [data["change"] for data in desk.sent(Priority.ALARM)] == ["raise", "step_up"]
    assert desk.value("alarm_store_failures_total", operation="save") == 2
    assert caplog.text.count("alarms go out all the same") == 1
    desk.state_dir.mkdir()
    desk.desk.tick()
    assert json.loads((desk.state_dir / "alarms.json").read_text())["alarms"][0]["severity"] == "critical"


def test_a_fault_of_the_input_is_an_alarm_of_its_own_class_once_it_lasts() -> None:
    desk = Desk()
    for index in range(6):
        faulty(desk, index, HealthCode.HUM, *([HealthCode.CLIPPED] if index == 2 else []))
    for index in range(6, 14):
        faulty(desk, index)
    assert faults(desk) == [("hum", "raise", "unacknowledged"), ("hum", "clear", "returned_unacknowledged")]
    alarm = desk.sent(Priority.ALARM, "/machine/fan_1/fault/hum")[0]
    assert (alarm["severity"], alarm["anomaly"], alarm["text"]) == ("low", None, "fan_1: hum was found")
    assert [finding["name"] for finding in alarm["input_health"]] == ["hum"]
    assert desk.sent(Priority.ALARM, "/machine/fan_1/alarm") == []
    assert desk.sent(Priority.RESULT)[-1]["alarm"] is None


@pytest.mark.parametrize("code", HealthCode)
def test_each_class_has_an_alarm_but_a_machine_that_stands_still(code: HealthCode) -> None:
    desk = Desk()
    for index in range(6):
        faulty(desk, index, code)
    expected = [] if code is HealthCode.STOPPED else [(code.value, "raise", "unacknowledged")]
    assert faults(desk) == expected
    assert desk.value("input_fault", machine="fan_1", fault=code.value) == len(expected)
    assert desk.value("learning_frozen", machine="fan_1") == len(expected)


def test_the_settings_know_every_class() -> None:
    assert set(FAULTS) == set(Fault.__args__)  # type: ignore[attr-defined]  # a Literal has them


def test_a_fault_that_flickers_is_none() -> None:
    desk = Desk()
    for index in range(100):
        faulty(desk, index, *([HealthCode.HUM] if index % 3 else []))
    assert faults(desk) == []


def test_a_source_that_stays_down_is_an_alarm_and_one_that_ended_is_none() -> None:
    desk = Desk()
    desk.health.down("mic", "usb:1-1.2 is not there; plug it in")
    desk.reporter.source_changed(desk.health.component("mic", now_s=0.0), rate_hz=None, channels=1)
    for _ in range(8):
        desk.clock.advance(5 * NS_PER_S)
        desk.desk.tick()
    (alarm,) = desk.sent(Priority.ALARM, "/fault/source_down")
    assert alarm["text"] == "fan_1: source mic is down: usb:1-1.2 is not there; plug it in"
    assert desk.value("learning_frozen", machine="fan_1") == 1
    desk.desk.source("mic", None, ("fan_1",))
    for _ in range(14):
        desk.clock.advance(5 * NS_PER_S)
        desk.desk.tick()
    assert faults(desk)[-1][1] == "clear"
    desk.health.down("mic", "ended")
    desk.reporter.source_changed(desk.health.component("mic", now_s=0.0), rate_hz=None, channels=1)
    for _ in range(14):
        desk.clock.advance(5 * NS_PER_S)
        desk.desk.tick()
    assert len(faults(desk)) == 2


def test_most_machines_at_once_are_one_alarm_that_names_them() -> None:
    names = ("fan_1", "fan_2", "fan_3", "fan_4")
    desk = Desk(machines=names)
    machines = {name: AlarmMachine(AlarmBudget(raise_after=3, raise_within=5)) for name in names}
    for index, score in enumerate([0.5, 9.0, 9.0, 9.0, 9.0]):
        for name in names:
            desk.reporter.window(event("mic", index, heard(name, index, score, machines[name])))
    announced = [data for data in desk.sent(Priority.ALARM) if data["announce"]]
    assert [(data["kind"], data["machine"]) for data in announced] == [("plant_event", "gw")]
    assert desk.desk.alarm(PLANT).machines == names
    assert desk.sent(Priority.ALARM, "root/plant/gw/alarm")[-1]["machines"] == list(names)
    assert [desk.value("alarm_state", machine=name, state="suppressed") for name in names] == [1] * 4
    assert desk.value("plant_event") == 1


def test_shelving_ends_by_itself() -> None:
    desk = Desk()
    desk.play([9.0] * 4)
    until_ns = desk.clock.wall_ns() + 600 * NS_PER_S
    desk.desk.act(FAN, Action(Event.SHELVE, "anna", "bearing is ordered", until_ns))
    desk.clock.advance(599 * NS_PER_S)
    desk.desk.tick()
    assert desk.desk.alarm(FAN).state.value == "shelved"
    desk.clock.advance(2 * NS_PER_S)
    desk.desk.tick()
    last = desk.sent(Priority.ALARM)[-1]
    assert (last["change"], last["state"], last["announce"]) == ("unshelve", "unacknowledged", True)


def test_a_clock_that_is_set_shortens_no_shelving() -> None:
    desk = Desk()
    desk.play([9.0] * 4)
    until_ns = desk.clock.wall_ns() + 600 * NS_PER_S
    desk.desk.act(FAN, Action(Event.SHELVE, "anna", "bearing is ordered", until_ns))
    year_ns = 365 * 86_400 * NS_PER_S
    desk.clock.set_wall(by_ns=year_ns)
    desk.desk.clock_moved(year_ns)
    desk.desk.tick()
    assert desk.desk.alarm(FAN).shelved_until_ns == until_ns + year_ns
    assert desk.sent(Priority.ALARM)[-1]["state"] == "shelved"
    desk.clock.advance(601 * NS_PER_S)
    desk.desk.tick()
    assert desk.sent(Priority.ALARM)[-1]["change"] == "unshelve"


def test_shelved_by_a_clock_that_was_years_ahead_it_comes_back_all_the_same() -> None:
    first = Desk()
    first.play([9.0] * 4)
    first.desk.act(FAN, Action(Event.SHELVE, "anna", "known", first.clock.wall_ns() + 10**18))
    first.desk.close()
    second = again(first)
    until_ns = second.desk.alarm(FAN).shelved_until_ns
    assert until_ns is not None
    assert until_ns - second.clock.wall_ns() == 604_800 * NS_PER_S


def test_the_end_of_a_machine_is_told_by_the_next_life_if_it_was_not() -> None:
    first = Desk(machines=("fan_1", "fan_2"))
    first.play([9.0] * 4)
    first.outbox.close()
    first.desk.watches(["fan_2"], ["mic"])
    second = Desk(state_dir=first.state_dir, machines=("fan_2",), clock=first.clock)
    second.desk.resume()
    (told,) = second.sent(Priority.ALARM, "/machine/fan_1/alarm")
    assert (told["state"], told["change"], told["announce"]) == ("normal", "clear", False)
    assert "no longer watched" in told["reason"]
    second.desk.tick()
    second.desk.close()
    assert json.loads((first.state_dir / "alarms.json").read_text())["alarms"] == []


def test_machines_that_are_gone_take_their_alarms_along() -> None:
    desk = Desk(machines=("fan_1", "fan_2"))
    desk.play([9.0] * 4)
    desk.desk.watches(["fan_2"], ["mic"])
    assert desk.sent(Priority.ALARM)[-1]["change"] == "clear"
    assert desk.desk.alarms() == ()
    with pytest.raises(AlarmError, match="nothing to acknowledge"):
        desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))


def test_everything_is_in_the_history(tmp_path: Path) -> None:
    desk = Desk()
    desk.play([9.0] * 4)
    desk.desk.act(FAN, Action(Event.ACKNOWLEDGE, "anna"))
    desk.play([0.1] * 6, first=4)
    entries = list(history(desk.state_dir).read())
    assert [entry.event.value for entry in entries if entry.event] == ["raise", "acknowledge", "clear"]
    assert entries[1].operator == "anna"
    assert entries[0].at_ns == START_NS + 30 * NS_PER_S


def test_a_reload_changes_what_raises_an_alarm() -> None:
    desk = Desk()
    desk.desk.follow(ConditionRules(raise_after=1, raise_within=1))
    desk.play([4.0] * 4)
    desk.play([30.0], first=4)
    assert [data["change"] for data in desk.sent(Priority.ALARM)] == ["raise", "step_up"]  # one window bears it out


def test_a_machine_without_a_profile_has_no_alarm() -> None:
    desk = Desk()
    made: Heard = heard("fan_1", 0, None, desk.alarms)
    assert desk.desk.window(event("mic", 0, made), made) is None
