"""What the world is told of windows and sources: events, metrics, health."""

import pytest

from edge_agent.delivery.message import Priority
from tests.agent.alarming.desk import Desk
from tests.support.windows import event, heard


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_one_result_per_heard_window_and_none_for_a_rejected_one(desk: Desk) -> None:
    desk.play([0.5, 1.0])
    desk.reporter.window(event("mic", 2, None))
    results = desk.sent(Priority.RESULT)
    assert [result["anomaly"]["score"] for result in results] == [0.5, 1.0]
    assert results[0]["window_start"] == "2023-11-14T22:13:20.000000Z"
    assert desk.value("windows_total", machine="fan_1", state="normal") == 2
    assert desk.value("window_score", machine="fan_1") == 1.0


def test_a_rejected_window_is_a_sign_of_life_too(desk: Desk) -> None:
    desk.health.audio("mic", 50.0, now_s=1.0)
    assert not desk.health.live(now_s=1.0).ok
    desk.reporter.window(event("mic", 0, None))
    assert desk.health.live(now_s=1.0).ok


def test_an_alarm_has_one_id_from_raise_to_clear_and_the_next_another(desk: Desk) -> None:
    desk.play([0.5, 9.0, 9.0, 9.0, *[0.1] * 400, *[9.0] * 3])
    first, cleared, second = desk.sent(Priority.ALARM)
    states = [alarm["state"] for alarm in (first, cleared, second)]
    assert states == ["unacknowledged", "returned_unacknowledged", "unacknowledged"]
    assert first["alarm"] == cleared["alarm"] != second["alarm"]
    assert first["raised_at"] == cleared["raised_at"] == "2023-11-14T22:13:50.000000Z"
    assert first["severity"] == "high"
    results = desk.sent(Priority.RESULT)
    with_alarm = [index for index, result in enumerate(results) if result["alarm"]]
    assert with_alarm == list(range(3, 407))  # nobody has acknowledged it
    assert {results[index]["alarm"]["state"] for index in (9, 405)} == {"returned_unacknowledged"}
    assert {results[index]["alarm"]["id"] for index in with_alarm} == {first["alarm"], second["alarm"]}
    assert desk.value("alarms_raised_total", machine="fan_1") == 2
    assert desk.value("alarm_state", machine="fan_1", state="unacknowledged") == 1


def test_a_machine_without_a_profile_has_results_and_nothing_else(desk: Desk) -> None:
    desk.play([None, None])
    (one, two) = desk.sent(Priority.RESULT)
    assert one["anomaly"] is two["anomaly"] is None
    assert one["state"] == "uncommissioned"
    assert desk.sent(Priority.ALARM) == desk.sent(Priority.STATE) == []
    assert desk.value("window_score", machine="fan_1") is None


def test_an_input_fault_is_told_and_judges_no_health(desk: Desk) -> None:
    desk.reporter.window(event("mic", 0, heard("fan_1", 0, 9.0, desk.alarms, blocked=True)))
    (result,) = desk.sent(Priority.RESULT)
    assert result["state"] == "input_fault"
    assert result["input_health"][0]["name"] == "dead"
    assert result["anomaly"]["score"] == 9.0
    assert desk.sent(Priority.STATE, "/health") == []
    assert desk.value("input_finding", machine="fan_1", finding="dead") == 1
    desk.play([0.5], first=1)
    assert desk.value("input_finding", machine="fan_1", finding="dead") == 0


def test_health_is_told_when_the_zone_changes_and_once_an_hour(desk: Desk) -> None:
    desk.play([0.4] * 361)
    told = desk.sent(Priority.STATE, "/health")
    assert [one["zone"] for one in told] == ["A", "A"]
    assert [one["windows"] for one in told] == [1, 361]
    desk.play([300.0] * 400, first=361)
    zones = [one["zone"] for one in desk.sent(Priority.STATE, "/health")]
    assert zones[-1] == "D"
    assert set(zones) == {"A", "B", "C", "D"}


def test_a_source_that_changes(desk: Desk) -> None:
    desk.health.down("mic", "usb:1-1.2 is not there; plug it in")
    report = desk.health.component("mic", now_s=0.0)
    desk.reporter.source_changed(report, rate_hz=None, channels=1)
    (state,) = desk.sent(Priority.STATE, "/source/mic/state")
    assert (state["state"], state["detail"]) == ("down", "usb:1-1.2 is not there; plug it in")
    assert state["machines"] == ["fan_1"]
    assert desk.value("source_state", source="mic", state="down") == 1


def test_without_a_broker_only_metrics_are_kept() -> None:
    desk = Desk(publishes=False)
    desk.play([0.5] * 3)
    assert desk.outbox.stats().total_rows == 0
    assert desk.value("windows_total", machine="fan_1", state="normal") == 3
