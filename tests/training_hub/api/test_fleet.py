"""Status, machines, gateways, alarms, events, bundles over HTTP."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.support.hub import Hub
from tests.support.hub_clips import add_clip, clip_id
from tests.support.hub_fleet import add_bundle, add_fleet, add_run

_API = "/api/v1"


@pytest.fixture
def fleet(hub: Hub) -> Hub:
    with hub.parts.database.transaction() as session:
        add_fleet(session)
        add_clip(session, hub.parts.objects, 0, label="normal", anomalous=False, dataset="training")
        add_clip(session, hub.parts.objects, 1, label="bearing", anomalous=True, dataset="validation")
        add_clip(session, hub.parts.objects, 2)
    return hub


def test_status_of_an_empty_hub(hub: Hub) -> None:
    answer = hub.script("viewer").get(f"{_API}/status")
    assert answer.status_code == 200, answer.text
    status = answer.json()
    assert status["model"]["name"] == "default"
    assert status["last_training"] is None and status["data"]["training"] == 0


def test_status_counts(fleet: Hub) -> None:
    with fleet.parts.database.transaction() as session:
        add_run(session, fleet.parts.objects, state="running")
    status = fleet.script("viewer").get(f"{_API}/status").json()
    data = status["data"]
    assert (data["training"], data["validation"], data["new"], data["external"]) == (1, 1, 1, 0)
    assert (data["labelled"], data["since_training"], data["deleted"]) == (2, 3, 0)
    assert (status["machines"], status["gateways"], status["open_alarms"], status["events"]) == (2, 2, 1, 10)
    assert status["queue"] == {"queued": 0, "running": 1}
    assert status["last_training"]["what"] == "types" and status["last_training"]["state"] == "running"
    assert status["disk"]["objects"] == 4 and status["disk"]["free_bytes"] > 0


def test_a_machine_over_months(fleet: Hub) -> None:
    client = fleet.script("viewer")
    machines = client.get(f"{_API}/machines").json()["machines"]
    pump = next(machine for machine in machines if machine["name"] == "pump_1")
    assert pump["open_alarms"] == 1
    assert {k: pump["balance"][k] for k in ("clips", "normal", "anomalous", "unlabelled", "training", "new")} == {
        "clips": 3, "normal": 1, "anomalous": 1, "unlabelled": 1, "training": 1, "new": 1}  # fmt: skip
    detail = client.get(f"{_API}/machines/{pump['id']}?since=2026-01-05&until=2026-01-08").json()
    assert [(day["day"], day["anomalous"], day["mean_percentile"]) for day in detail["days"]] == [
        ("2026-01-05", 4, 50.0), ("2026-01-06", 5, 50.0), ("2026-01-07", 6, 50.0)]  # fmt: skip
    assert [alarm["gateway"] for alarm in detail["alarms"]] == ["gw_1"]
    assert client.get(f"{_API}/machines/99999").status_code == 404
    assert client.get(f"{_API}/machines/{10**12}").status_code == 422
    assert client.get(f"{_API}/machines/1?since=0001-01-01&until=9999-12-31").status_code == 400
    assert [m["name"] for m in client.get(f"{_API}/machines?type=fan").json()["machines"]] == ["fan_1"]
    first = client.get(f"{_API}/machines?limit=1").json()
    second = client.get(f"{_API}/machines?limit=1&after={first['next']}").json()
    assert {first["machines"][0]["name"], second["machines"][0]["name"]} == {"pump_1", "fan_1"}
    assert second["next"] is None


def test_alarms_and_events_are_paged_and_filtered(fleet: Hub) -> None:
    client = fleet.script("viewer")
    found = client.get(f"{_API}/alarms").json()["alarms"]
    assert [alarm["machine"] for alarm in found] == ["fan_1", "pump_1"]
    for query, machines in {
        "open=yes": ["pump_1"],
        "open=no": ["fan_1"],
        "site=plant_2": ["fan_1"],
        "machine=pump_1": ["pump_1"],
        "state=unacknowledged": ["pump_1"],
        "kind=plant": [],
        "gateway=gw_1&severity=high": ["pump_1"],
        "since=2026-02-01T12:30:00Z": ["fan_1"],
    }.items():
        assert [a["machine"] for a in client.get(f"{_API}/alarms?{query}").json()["alarms"]] == machines, query
    seen: list[str] = []
    after = ""
    while True:
        page = client.get(f"{_API}/events?limit=3{after}").json()
        seen += [event["id"] for event in page["events"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == [clip_id(200 + n) for n in (*range(5), *range(10, 15))]
    results = client.get(f"{_API}/events?kind=alarm&machine=fan_1").json()["events"]
    assert [(event["kind"], event["site"]) for event in results] == [("alarm", "plant_2")]
    refused = client.get(f"{_API}/alarms{'?after=' + page['next'] if page['next'] else '?after=AAAA'}")
    assert refused.status_code == 400


def test_gateways_say_what_they_last_reported(fleet: Hub) -> None:
    gateways = fleet.script("viewer").get(f"{_API}/gateways").json()["gateways"]
    assert [(g["site"], g["name"], g["machines"]) for g in gateways] == [("plant_1", "gw_1", 1), ("plant_2", "gw_2", 1)]
    assert gateways[0]["report"] == {"agent_version": "0.1.0"}


def test_bundles_and_their_files(hub: Hub) -> None:
    with hub.parts.database.transaction() as session:
        row = add_bundle(session, hub.parts.objects)
    client = hub.script("viewer")
    (listed,) = client.get(f"{_API}/bundles?state=approved").json()["bundles"]
    assert listed["in_use"] and listed["sha256"] == row.sha256
    detail = client.get(f"{_API}/bundles/{row.id}").json()
    assert detail["manifest"]["name"] == "default" and "# " in detail["model_card"]
    archive = client.get(detail["download_url"])
    assert archive.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as tar:
        assert "manifest.json" in tar.getnames()
    assert client.get(f"{_API}/bundles/{clip_id(1)}").status_code == 404
    assert client.get(f"{_API}/status").json()["model"]["sha256"] == row.sha256


def test_a_bundle_of_the_catalogue_listens(hub: Hub) -> None:
    """Unpacked from the store, verified, and asked for by its hash."""
    with hub.parts.database.transaction() as session:
        row = add_bundle(session, hub.parts.objects, state="approved")
    shelf = hub.app.state.sounds.bundles
    assert shelf.ear().bundle.sha256 == row.sha256
    assert shelf.ear(row.sha256) is shelf.ear()
