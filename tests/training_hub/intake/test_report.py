"""A gateway reports and is told what to do."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.support.clips import BUNDLE, make_clip
from tests.support.events import time_of
from tests.support.hub import Hub
from training_hub.catalogue.labelling import Deed, label_clips
from training_hub.catalogue.tables import Gateway, Machine
from training_hub.catalogue.types import utc_now


def _report(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "site": "plant_1", "gateway": "gw_1", "agent_version": "0.1.0", "started_at": time_of(0),
        "reported_at": time_of(60), "clock_synced": True, "bundle": BUNDLE, "clips_waiting": 3,
        "machines": [{"id": "fan_1", "type": "fan", "windows": 6, "anomalous": 1, "failed": 0}],
    } | changes  # fmt: skip


def _send(hub: Hub, **changes: Any) -> Any:  # noqa: ANN401
    return hub.gateway().post("/api/v1/gateway/report", json=_report(**changes))


def test_a_report_is_kept_and_answered(hub: Hub) -> None:
    answer = _send(hub)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"assignment": None, "withdrawn": [], "labels": [], "report_after_s": 60.0}
    with hub.parts.database.transaction(writes=False) as session:
        row = session.scalars(select(Gateway)).one()
        assert row.report is not None
        assert (row.report["clips_waiting"], row.report["machines"][0]["id"]) == (3, "fan_1")
        assert row.last_seen_at is not None
        machine = session.scalars(select(Machine)).one()
        assert (machine.name, machine.type) == ("fan_1", "fan")


@pytest.mark.parametrize("changes", [{"gateway": "gw_2"}, {"site": "plant_2"}])
def test_a_report_of_another_gateway_is_refused(hub: Hub, changes: dict[str, str]) -> None:
    assert _send(hub, **changes).status_code == 403


@pytest.mark.parametrize("changes", [{"site": "a/b"}, {"clips_waiting": -1}, {"x": 1}, {"bundle": {}}])
def test_a_report_that_is_none_is_refused(hub: Hub, changes: dict[str, Any]) -> None:
    assert _send(hub, **changes).status_code == 422


def test_labels_that_people_give_reach_the_gateway(hub: Hub) -> None:
    clip, other = make_clip(1), make_clip(2, gateway="gw_2")
    clip.put(hub.gateway())
    other.put(hub.gateway(name="gw_2"))
    at = utc_now()
    with hub.parts.database.transaction() as session:
        label_clips(session, [clip.id, other.id], "bearing", Deed("user:anna", at))
    (label,) = _send(hub).json()["labels"]
    assert (label["clip"], label["label"], label["operator"]) == (clip.id, "bearing", "anna")
    assert label["at"] == f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert _send(hub).json()["labels"] == [label], "an answer may get lost: what is new is told for a while"


def test_labels_of_long_ago_are_not_told_again(hub: Hub) -> None:
    from datetime import timedelta

    clip = make_clip(1)
    clip.put(hub.gateway())
    with hub.parts.database.transaction() as session:
        label_clips(session, [clip.id], "bearing", Deed("user:anna", utc_now() - timedelta(hours=1)))
    assert len(_send(hub).json()["labels"]) == 1
    assert _send(hub).json()["labels"] == []


def test_a_label_that_comes_back_changes_nothing(hub: Hub) -> None:
    from tests.support.clips import SentClip

    clip, gateway = make_clip(1), hub.gateway()
    clip.put(gateway)
    with hub.parts.database.transaction() as session:
        label_clips(session, [clip.id], "bearing", Deed("user:anna", utc_now()))
    (label,) = _send(hub).json()["labels"]
    back = {"label": label["label"], "operator": label["operator"], "at": label["at"]}
    assert SentClip(clip.content, clip.sidecar | {"label": back}).put_record(gateway).status_code == 200
    actions = [entry["action"] for entry in hub.person("engineer").get("/api/v1/audit").json()["entries"]]
    assert actions.count("clip.label") == 1
