"""Trainings, jobs and figures over HTTP."""

from __future__ import annotations

import json

import pytest

from tests.support.hub import Hub
from tests.support.hub_clips import clip_id
from tests.support.hub_fleet import add_performance, add_run
from training_hub.catalogue.tables import Job

_API = "/api/v1"


def test_a_run_with_its_curve_gate_and_report(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        add_run(session, hub.parts.objects)
    client = hub.script("viewer")
    (listed,) = client.get(f"{_API}/runs").json()["runs"]
    assert (listed["state"], listed["gate_passed"], listed["bundle_id"]) == ("done", True, None)
    detail = client.get(f"{_API}/runs/{listed['id']}").json()
    assert [(point["name"], point["step"]) for point in detail["points"]] == [("loss", 0), ("loss", 1), ("loss", 2)]
    report = client.get(detail["report_url"])
    assert (
        report.headers["content-type"].startswith("text/html")
        and "sandbox" in report.headers["content-security-policy"]
    )
    assert client.get(f"{_API}/runs/{clip_id(9)}").status_code == 404


def test_engineers_launch_trainings(hub: Hub) -> None:
    engineer = hub.script("engineer")
    launched = engineer.post(f"{_API}/runs", json={"what": ["types", "types", "faults"], "seed": 7})
    assert launched.status_code == 202, launched.text
    job = launched.json()
    assert (job["kind"], job["state"], job["created_by"]) == ("retrain", "queued", "user:engineer")
    assert job["parameters"] == {"what": ["types", "faults"], "seed": 7}
    assert engineer.get(f"{_API}/jobs/{job['id']}").json()["state"] == "queued"
    assert hub.script("operator").post(f"{_API}/runs", json={"what": ["types"]}).status_code == 403
    for wish, status in (({"what": []}, 422), ({"what": ["all"]}, 422), ({"epochs": 3}, 422), ({"base": "0" * 64}, 404),
                         ({"minutes": 1e9}, 422), ({"seed": 2**70}, 422)):  # fmt: skip
        assert engineer.post(f"{_API}/runs", json=wish).status_code == status, wish
    assert len(engineer.get(f"{_API}/jobs?kind=retrain").json()["jobs"]) == 1


def test_jobs_are_cancelled_once_and_by_engineers(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        for number, state in enumerate(("queued", "running", "done")):
            session.add(Job(id=clip_id(500 + number), kind="retrain", state=state, created_by="user:emil"))
    engineer, operator = hub.script("engineer"), hub.script("operator")
    assert operator.post(f"{_API}/jobs/{clip_id(500)}/cancel").status_code == 403
    ended = engineer.post(f"{_API}/jobs/{clip_id(500)}/cancel").json()
    assert (ended["state"], ended["cancel_asked"]) == ("cancelled", True)
    asked = engineer.post(f"{_API}/jobs/{clip_id(501)}/cancel").json()
    assert (asked["state"], asked["cancel_asked"]) == ("running", True)
    for number, status in ((500, 409), (502, 409), (599, 404)):
        assert engineer.post(f"{_API}/jobs/{clip_id(number)}/cancel").status_code == status
    assert [job["id"] for job in engineer.get(f"{_API}/jobs?state=done").json()["jobs"]] == [clip_id(502)]
    log = hub.script("admin").get(f"{_API}/audit?action=job.cancel").json()["entries"]
    assert {entry["subject"] for entry in log} == {f"job:{clip_id(500)}", f"job:{clip_id(501)}"}


def test_a_job_is_watched_until_it_ends(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        session.add(Job(id=clip_id(500), kind="retrain", state="running", created_by="user:emil"))
    client = hub.script("viewer")
    seen = []
    url = f"{_API}/jobs/{clip_id(500)}/events"
    with client.stream("GET", f"{url}?follow=no") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    seen = [json.loads(line.removeprefix("data: "))["state"] for line in lines]
    assert seen == ["running"]
    with hub.parts.database.transaction() as session:
        session.get_one(Job, clip_id(500)).state = "done"
    with client.stream("GET", url) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    assert [json.loads(line.removeprefix("data: "))["state"] for line in lines] == ["done"]
    assert client.get(f"{_API}/jobs/{clip_id(7)}/events").status_code == 404


@pytest.mark.parametrize(
    ("query", "found", "false", "threshold"),
    [
        ("", 6, 1, 1.85),
        ("&threshold=2.5", 4, 0, 2.5),
        ("&sensitivity=1", 10, 10, 1.0),
        ("&sensitivity=0.5", 5, 0, 2.25),
    ],
)
def test_what_a_threshold_gives(query: str, found: int, false: int, threshold: float, hub: Hub) -> None:
    sha256 = "a" * 64
    with hub.parts.database.transaction() as session:
        add_performance(session, sha256)
    answer = hub.script("viewer").get(f"{_API}/performance?bundle={sha256}{query}")
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert view["mean_auc"] == pytest.approx(0.85) and view["worst"]["name"] == "fan_1"
    pump = view["machines"][0]
    assert pump["confusion"]["threshold"] == pytest.approx(threshold)
    assert (pump["confusion"]["found"], pump["confusion"]["missed"], pump["confusion"]["false"]) == (
        found,
        10 - found,
        false,
    )
    assert pump["roc"][0] == {"false_alarm_rate": 0.0, "sensitivity": 0.0}
    assert pump["roc"][-1] == {"false_alarm_rate": 1.0, "sensitivity": 1.0}
    assert sum(pump["histogram"]["normal"]) == 20 and sum(pump["histogram"]["anomalous"]) == 10


def test_a_laxer_threshold_costs_more_false_alarms(hub: Hub) -> None:
    sha256 = "a" * 64
    with hub.parts.database.transaction() as session:
        add_performance(session, sha256)
    client = hub.script("viewer")
    weekly = [
        client.get(f"{_API}/performance?bundle={sha256}&threshold={t}").json()["machines"][0]["confusion"][
            "alarms_per_week"
        ]
        for t in (2.5, 1.5, 0.5)
    ]
    assert 0 < weekly[0] < weekly[1] < weekly[2]
    both = client.get(f"{_API}/performance?bundle={sha256}&threshold=1&sensitivity=1")
    assert both.status_code == 400
    assert client.get(f"{_API}/performance?bundle={sha256}&threshold=nan").status_code == 422


def test_bundles_are_compared_on_the_same_clips_only(hub: Hub) -> None:
    old, new = "a" * 64, "b" * 64
    with hub.parts.database.transaction() as session:
        add_performance(session, old)
        add_performance(session, new, better_by=0.05)
        add_performance(session, new, better_by=-0.5, digest="e" * 64)
    client = hub.script("viewer")
    view = client.get(f"{_API}/performance/compare?bundle={new}&with={old}").json()
    assert (view["with"], view["with_sha256"]) == ("bundle", old)
    assert [one["auc_points"] for one in view["machines"]] == pytest.approx([5.0, 5.0])
    assert view["machines"][0]["false_alarms_ratio"] == pytest.approx(1.0)
    empty = client.get(f"{_API}/performance/compare?with=shipped").json()
    assert empty["machines"] == [] and empty["worst"] is None
