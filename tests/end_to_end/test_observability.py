"""Dashboards and alert rules on a real Prometheus that scraped a real agent: through an outage, and in health.

`DASHBOARD_PICTURES=docs/dashboards pytest tests/end_to_end/test_observability.py` draws the pictures of the docs.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import ROOT, Agent, running
from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.contract_hub import ContractHub
from tests.support.prometheus import Exemplar, Prometheus, needs_prometheus, prometheus

pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed (extra dev)")
from deploy.grafana.build import dashboards  # after the check that it is there
from deploy.grafana.preview import View, draw

RULES = ROOT / "deploy" / "prometheus" / "rules" / "edge-agent.rules.yml"
PICTURES = os.environ.get("DASHBOARD_PICTURES")

pytestmark = [pytest.mark.end_to_end, needs_mosquitto, needs_prometheus, pytest.mark.xdist_group("observability")]


@dataclass(frozen=True)
class Watched:
    """An agent and the Prometheus that scraped it from its start."""

    agent: Agent
    server: Prometheus


@pytest.fixture(scope="module")
def outage(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A pump fails and is mended, a fan is not commissioned, a source is absent, the broker goes and comes back.

    For the pictures at the pace of time, for curves that are true; else faster.
    """
    slower = 1.0 if PICTURES is None else 6.0
    pace = 50.0 if PICTURES is None else 1.0
    directory = tmp_path_factory.mktemp("outage")
    broker, hub = Broker(directory / "broker"), ContractHub()
    body = (
        PUMP + '[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        + source("film", "pump_1", plant.film, pace, loop=True)
        + f'[[source]]\nid = "sim"\nkind = "simulated"\nspeed = {min(pace, 20.0)}\n'
        + '[[source.channel]]\nmachine = "fan_1"\ncalibration_db = 94.0\n'
        + source("any", "auto", plant.film, pace, loop=True)
        + '[[machine]]\nid = "pump_2"\ntype = "pump"\n'
        + source("slow", "pump_2", plant.film, 1.0, loop=True)
        + '[[machine]]\nid = "fan_2"\n'
        + source("gone", "fan_2", directory / "nothing.wav", 1.0)
        + hub.section(directory)
    )  # fmt: skip
    site = make_site_in(directory, plant, body, broker.port)
    with (
        hub,
        broker,
        running(site.config, site.http_port, site.log) as agent,
        prometheus(directory / "prometheus", site.http_port, RULES) as server,
    ):
        broker.start()
        agent.wait_ready()
        for expression, timeout_s in (
            ("edge_agent_alarms_raised_total > 0", 60.0),
            ("rate(edge_agent_publish_latency_seconds_count[5m]) > 0", 30.0),
        ):
            wait_until(lambda asked=expression: server.has_figures(asked), slower * timeout_s, expression)  # type: ignore[misc]  # a default of a lambda
        broker.kill()
        wait_until(lambda: server.has_figures("edge_agent_outbox_events > 5"), slower * 30.0, "a backlog")
        wait_until(
            lambda: server.has_figures('ALERTS{alertname="EdgeAgentBrokerUnreachable"}'), 30.0, "a pending alert"
        )
        broker.start()
        wait_until(lambda: server.has_figures("edge_agent_mqtt_replayed_total > 5"), 60.0, "the backlog drained")
        wait_until(lambda: server.has_figures("rate(edge_agent_sync_reports_total[5m])"), 60.0, "a hub that answers")
        yield Watched(agent, server)
        assert agent.stop() == 0


def _queries() -> Iterator[tuple[str, str, list[str]]]:
    for name, dashboard in _boards().items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield name, panel["title"], [target["expr"] for target in panel["targets"]]


def _boards() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in dashboards().items()}


def _variables(server: Prometheus, machine: str) -> dict[str, str]:
    [up] = server.query("up")
    return {"instance": up.labels["instance"], "machine": machine}


def test_no_panel_is_empty(outage: Watched) -> None:
    views = [View(outage.server, _variables(outage.server, machine), 60.0) for machine in ("pump_1", "fan_1")]
    empty = [
        f"{name}: {panel}: {expression}"
        for name, panel, expressions in _queries()
        for expression in expressions
        if not any(outage.server.has_figures(view.fill(expression)) for view in views)
    ]
    assert not empty


def test_variables_offer_what_there_is(outage: Watched) -> None:
    assert {series.labels["machine"] for series in outage.server.query("edge_agent_windows_total")} >= {
        "pump_1",
        "fan_1",
    }
    for dashboard in _boards().values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                family = variable["query"].split("(")[1].split(",")[0].split("{")[0]
                assert outage.server.has_figures(family), variable["query"]


def test_exemplars_name_clips_that_can_be_heard(outage: Watched) -> None:
    def found(series: str) -> list[Exemplar]:
        return [each for each in outage.server.exemplars(series) if "clip_id" in each.labels]

    wait_until(lambda: bool(found("edge_agent_alarms_raised_total")), 60.0, "a clip of an alarm in Prometheus")
    [raised, *_], scored = found("edge_agent_alarms_raised_total"), found("edge_agent_clip_score_ratio_bucket")
    _, listed = outage.agent.get("/api/clips?machine=pump_1")
    clips = {clip["id"]: clip for clip in json.loads(listed)["clips"]}
    assert raised.series["machine"] == "pump_1"
    assert clips[raised.labels["clip_id"]]["alarm"] == raised.labels["alarm_id"]
    assert outage.agent.get_bytes(f"/api/clips/{raised.labels['clip_id']}/audio")[:4] == b"fLaC"
    assert scored
    for each in scored:
        if (clip := clips.get(each.labels["clip_id"])) is not None:
            assert each.value == pytest.approx(clip["score"] / clip["threshold"], rel=1e-4)
    assert {each.labels["clip_id"] for each in scored} & clips.keys()


def test_what_fails_raises_its_alert(outage: Watched) -> None:
    for alert, state in (
        ("EdgeAgentMachineAlarm", "firing"),
        ("EdgeAgentSourceDown", "firing|pending"),
        ("EdgeAgentMachineNotCommissioned", "pending"),
    ):
        expression = f'max_over_time(ALERTS{{alertname="{alert}",alertstate=~"{state}"}}[10m])'
        wait_until(lambda expression=expression: outage.server.has_figures(expression), 30.0, alert)


def test_a_picture_of_each_can_be_drawn(outage: Watched, tmp_path: Path) -> None:
    directory = tmp_path if PICTURES is None else ROOT / PICTURES
    directory.mkdir(parents=True, exist_ok=True)
    [started] = outage.server.query("time() - edge_agent_start_time_seconds")
    if PICTURES is not None:  # long enough for curves that are worth a look
        wait_until(lambda: outage.server.has_figures("time() - edge_agent_start_time_seconds > 270"), 300.0, "a past")
        [started] = outage.server.query("time() - edge_agent_start_time_seconds")
    view = View(outage.server, _variables(outage.server, "pump_1"), started.value)
    for name, dashboard in _boards().items():
        picture = draw(dashboard, view)
        (directory / f"{name}.svg").write_text(picture, encoding="utf-8")
        assert picture.count("No data") == 0, name
        assert all(panel["title"][:10] in picture.replace("&#x27;", "'") for panel in dashboard["panels"])


def test_in_health_no_alert_fires(plant: Plant, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker")
    body = PUMP + source("film", "pump_1", plant.state.parent / "normal", 20.0, loop=True)
    site = make_site_in(tmp_path, plant, body, broker.port)
    with (
        broker,
        running(site.config, site.http_port, site.log) as agent,
        prometheus(tmp_path / "prometheus", site.http_port, RULES) as server,
    ):
        broker.start()
        agent.wait_ready()
        wait_until(lambda: server.has_figures('edge_agent_windows_total{state="normal"} > 60'), 60.0, "windows")
        fired = [
            series.labels["alertname"] for series in server.query('max_over_time(ALERTS{alertstate="firing"}[5m])')
        ]
        assert fired == []
        assert agent.stop() == 0
