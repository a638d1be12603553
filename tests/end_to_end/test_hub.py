"""The agent as a process, a broker that loses what it acknowledged, and a hub: nothing is lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.clips.books import StoreLimits
from edge_agent.clips.store import ClipStore
from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import running
from tests.support.broker import Broker, Subscriber, needs_mosquitto, wait_until
from tests.support.contract_hub import ContractHub

pytestmark = [pytest.mark.end_to_end, needs_mosquitto]

_FORGETFUL = "autosave_interval 1800\nautosave_on_changes false\n"
"""As mosquitto is when nobody sets it: what is queued lies in memory, and a kill loses it."""


def _body(plant: Plant, directory: Path, hub: ContractHub) -> str:
    return (
        PUMP
        + source("film", "pump_1", plant.film, 50.0)
        + hub.section(directory, "[hub.journal]\nsettle_s = 1.0")
        + '[clips]\nspeech = "off"\nmin_free_bytes = 0\nrandom_per_day = 1000\nnovel_distance = 0.001\n'
    )


def test_what_the_broker_acknowledged_and_lost_reaches_the_hub(plant: Plant, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", extra_config=_FORGETFUL)
    with ContractHub() as hub, broker:
        hub.instructions = hub.instructions.model_copy(update={"report_after_s": 1.0})
        broker.start()
        listening = Subscriber(broker.port)  # with a session: the broker queues for it while it is away
        listening.close()
        site = make_site_in(tmp_path, plant, _body(plant, tmp_path, hub), broker.port)
        hub.answer_with = lambda _method, path: (503, {}, b"") if path.startswith("/events") else None
        with running(site.config, site.http_port, site.log) as agent:
            agent.wait_ready()
            wait_until(
                lambda: _metric(agent.get("/metrics")[1], "edge_agent_mqtt_published_total") >= 20, 60.0, "events"
            )
            broker.kill()  # and with it what it had acknowledged
            published = _metric(agent.get("/metrics")[1], "edge_agent_mqtt_published_total")
            hub.answer_with = lambda _method, _path: None
            wait_until(lambda: len(hub.kept.events) >= published, 60.0, "the lost events at the hub")
            wait_until(lambda: bool(hub.kept.reports), 30.0, "a report")
            wait_until(lambda: bool(hub.kept.records), 60.0, "a clip")
            wait_until(
                lambda: any(m.windows for r in hub.kept.reports for m in r.machines), 30.0, "figures of a machine"
            )
            assert agent.stop() == 0
        first = hub.kept.reports[0]
        assert (first.site, first.gateway, first.bundle.name) == ("plant", "gw", "default")
        took_s = [r.window_computing_s for r in hub.kept.reports if any(m.windows for m in r.machines)]
        assert took_s and all(each is not None and 0 < each < 5 for each in took_s), took_s
        store = ClipStore(site.state / "clips", StoreLimits())
        assert set(store.labels_at_hub()) == hub.kept.records.keys()
    assert "Traceback" not in site.log.read_text()


def test_without_a_broker_events_go_to_the_hub_alone(plant: Plant, tmp_path: Path) -> None:
    with ContractHub() as hub:
        site = make_site_in(tmp_path, plant, _body(plant, tmp_path, hub), None)
        with running(site.config, site.http_port, site.log) as agent:
            agent.wait_ready()
            wait_until(lambda: len(hub.kept.events) >= 20, 60.0, "events at the hub")
            assert agent.stop() == 0
        assert {"result", "source_state"} <= {event["type"].split(".")[-2] for event in hub.kept.events.values()}
    assert "Traceback" not in site.log.read_text()


def _metric(text: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))
