"""Events come in by id, once, and become alarms and days."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.support.events import alarm, health, plant_event, result, status, ulid
from tests.support.hub import Hub
from training_hub.catalogue.tables import Alarm, Event, Machine, MachineDay

DAY = date(2026, 3, 2)


def _post(hub: Hub, *events: dict[str, Any], name: str = "gw_1") -> dict[str, Any]:
    answer = hub.gateway(name=name).post("/api/v1/events", json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _day(hub: Hub) -> MachineDay:
    with hub.parts.database.transaction(writes=False) as session:
        return session.scalars(select(MachineDay).where(MachineDay.day == DAY)).one()


def test_events_are_written_once(hub: Hub) -> None:
    first = [result(1), result(2), status(3)]
    assert _post(hub, *first) == {"accepted": 3, "repeated": 0, "refused": []}
    assert _post(hub, *first, result(4)) == {"accepted": 1, "repeated": 3, "refused": []}
    assert _post(hub, result(5), result(5)) == {"accepted": 1, "repeated": 1, "refused": []}
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 5
        row = session.get(Event, ulid(1))
        assert row is not None
        assert (row.kind, row.via, row.data["machine"]) == ("result", "http", "pump_1")
        assert session.scalars(select(Machine)).one().type == "unknown", "events do not say the type"


def test_a_bad_event_keeps_no_other_back(hub: Hub) -> None:
    foreign = result(2, gateway="gw_2")
    receipt = _post(hub, result(1), foreign, {"id": "x"}, {}, result(3) | {"data": {"machine": "pump_1"}}, result(4))
    assert receipt["accepted"] == 2
    assert [refused["id"] for refused in receipt["refused"]] == [ulid(2), "x", "unknown", ulid(3)]
    assert "/plant_1/gw_2" in receipt["refused"][0]["why"]


@pytest.mark.parametrize(
    "body",
    [{}, {"events": 1}, {"events": [1]}, {"events": [{}] * 501}, {"events": [{"x": "y" * 300_000}]}, [1]],
    ids=["empty", "number", "no object", "too many", "too large", "list"],
)
def test_a_batch_that_is_none_is_refused(hub: Hub, body: object) -> None:
    assert hub.gateway().post("/api/v1/events", json=body).status_code == 422


def test_the_hub_says_which_events_it_has_not_got(hub: Hub) -> None:
    _post(hub, result(1))
    answer = hub.gateway().post("/api/v1/events/missing", json={"ids": [ulid(2), ulid(1), ulid(3)]})
    assert answer.json() == {"ids": [ulid(2), ulid(3)]}
    answer = hub.gateway(name="gw_2").post("/api/v1/events/missing", json={"ids": [ulid(1)]})
    assert answer.json() == {"ids": [ulid(1)]}, "another gateway's are no business of its"


def test_the_last_word_of_an_alarm_stands_in_whichever_order_they_come(hub: Hub) -> None:
    raised = alarm(1, number=1, state="unacknowledged", changed_s=0)
    acknowledged = alarm(2, number=1, state="acknowledged", changed_s=60)
    cleared = alarm(3, number=1, state="normal", changed_s=120)
    _post(hub, raised)
    _post(hub, cleared)
    _post(hub, acknowledged)
    with hub.parts.database.transaction(writes=False) as session:
        row = session.scalars(select(Alarm)).one()
        assert (row.state, row.severity, row.text) == ("normal", "high", "it whines")
        assert row.machine_id is not None
    assert _day(hub).alarms == 1


def test_one_batch_with_the_whole_life_of_an_alarm(hub: Hub) -> None:
    _post(hub, alarm(3, number=1, state="normal", changed_s=120), alarm(1, number=1, state="unacknowledged"))
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalars(select(Alarm)).one().state == "normal"


def test_a_plant_event_is_no_machines(hub: Hub) -> None:
    _post(hub, plant_event(1, number=1))
    with hub.parts.database.transaction(writes=False) as session:
        assert session.scalars(select(Alarm)).one().machine_id is None
        assert session.scalars(select(Machine)).all() == []


def test_days_add_up_over_batches_and_repeats(hub: Hub) -> None:
    batch = [result(1, score=1.0, percentile=20.0), result(2, score=9.0, percentile=100.0)]
    _post(hub, *batch)
    _post(hub, *batch, result(3, score=2.0, percentile=30.0))
    day = _day(hub)
    assert (day.windows, day.anomalous, day.percentile_sum, day.percentile_windows) == (3, 1, 150.0, 3)


def test_health_of_a_day_is_the_last_said(hub: Hub) -> None:
    _post(hub, health(2, index=0.5, zone="C", at_s=200))
    _post(hub, health(1, index=0.9, zone="A", at_s=100))
    day = _day(hub)
    assert (day.health_index, day.zone) == (0.5, "C")
    _post(hub, health(3, index=0.4, zone="D", at_s=300))
    assert _day(hub).zone == "D"


def test_events_are_counted(hub: Hub) -> None:
    _post(hub, result(1), {})
    text = (
        hub.anonymous().get("/metrics", headers={"Authorization": hub.script("viewer").headers["Authorization"]}).text
    )
    assert 'training_hub_events_total{outcome="accepted",via="http"} 1.0' in text
    assert 'training_hub_events_total{outcome="refused",via="http"} 1.0' in text
