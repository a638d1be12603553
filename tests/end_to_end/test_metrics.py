"""The running agent's metrics: every family moves in a run with faults, promtool finds nothing, Prometheus scrapes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import Agent, running
from tests.support.broker import Broker, needs_mosquitto, wait_until
from tests.support.contract_hub import ContractHub
from tests.support.prometheus import PROMTOOL, needs_prometheus, prometheus

pytestmark = [
    pytest.mark.end_to_end,
    needs_mosquitto,
    needs_prometheus,
]

STILL = {
    "edge_agent_queue_depth_items": "0 whenever the scorer keeps up",
    "edge_agent_intake_held_events": "the disk refused nothing; tests/delivery/test_intake.py",
    "edge_agent_intake_given_up": "the disk refused nothing; tests/delivery/test_intake.py",
    "edge_agent_outbox_dropped": "neither full nor old; tests/delivery/test_outbox_contract.py",
    "edge_agent_outbox_errors": "a sound disk; tests/delivery/test_sqlite_outbox.py",
    "edge_agent_outbox_files_set_aside": "a sound file; tests/delivery/test_sqlite_outbox.py",
    "edge_agent_page_frames_shed": "nobody looks at the page; tests/web/test_spectrogram.py",
    "edge_agent_input_finding": "sound inputs; tests/agent/test_reporter.py",
    "edge_agent_commands": "nothing is asked for; tests/end_to_end/test_commands.py",
    "edge_agent_mqtt_refused": "the broker refuses nothing; tests/end_to_end/test_broker_refusals.py",
    "edge_agent_mqtt_failovers": "one broker; tests/end_to_end/test_broker_refusals.py",
    "edge_agent_mqtt_broker_position": "one broker; tests/end_to_end/test_broker_refusals.py",
    "edge_agent_alarm_store_failures": "a sound disk; tests/agent/test_alarm_desk.py",
    "edge_agent_plant_event": "one machine fails; tests/agent/test_alarm_desk.py",
    "edge_agent_clips_dropped": "the writer keeps up and nobody speaks; tests/clips/test_recorder.py",
    "edge_agent_clips_removed": "room for all; tests/clips/test_store.py",
    "edge_agent_clips_errors": "a sound disk; tests/clips/test_store.py",
    "edge_agent_clips_waiting_bytes": "0 whenever the writer keeps up",
    "edge_agent_sync_clips_waiting": "0 once all is sent; tests/sync/test_clips.py",
    "edge_agent_sync_clips_waiting_bytes": "0 once all is sent; tests/sync/test_clips.py",
    "edge_agent_sync_clips_set_aside": "the hub refuses nothing and nobody speaks; tests/sync/test_clips.py",
    "edge_agent_sync_labels": "nobody labels; tests/sync/test_clips.py",
    "edge_agent_sync_events_waiting": "0 once all is reconciled; tests/sync/test_events.py",
    "edge_agent_sync_journal_held_events": "a sound disk; tests/sync/test_events.py",
    "edge_agent_sync_journal_lost": "neither full nor old; tests/sync/test_events.py",
    "edge_agent_samples_lost": "recordings lose nothing; tests/agent/test_engine.py",
    "edge_agent_clock_synced": "0 where the tests run without a time server",
    "edge_agent_mqtt_in_flight_events": "0 once all is acknowledged",
    "edge_agent_outbox_events": "0 once all is acknowledged",
    "edge_agent_outbox_payload_bytes": "0 once all is acknowledged",
    "edge_agent_outbox_oldest_age_seconds": "0 once all is acknowledged",
}
"""Families that stay at 0 in a run in which only machines and sources fail, and why."""


@pytest.fixture(scope="module")
def faulty(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A run in which a machine fails and is mended, one is not commissioned, one is unknown, a source is absent, and
    broker and hub come late.
    """
    directory = tmp_path_factory.mktemp("faulty")
    broker, hub = Broker(directory / "broker"), ContractHub()
    hub.instructions = hub.instructions.model_copy(update={"report_after_s": 1.0})
    body = (
        PUMP + '[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        + source("film", "pump_1", plant.film, 100.0)
        + '[[source]]\nid = "sim"\nkind = "simulated"\nspeed = 50.0\n'
        + '[[source.channel]]\nmachine = "fan_1"\ncalibration_db = 94.0\n'
        + source("any", "auto", plant.film, 100.0)
        + '[[machine]]\nid = "pump_2"\ntype = "pump"\n'
        + source("slow", "pump_2", plant.film, 1.0, loop=True)
        + '[[machine]]\nid = "fan_2"\n'
        + source("gone", "fan_2", directory / "nothing.wav", 1.0)
        + "[alarms]\nfault_on_s = 1\n"
        + hub.section(directory, "[hub.journal]\nsettle_s = 0.0")
    )  # fmt: skip
    site = make_site_in(directory, plant, body, broker.port)
    hub.answer_with = lambda _method, _path: (503, {}, b"")
    with hub, broker, running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        wait_until(lambda: _value(agent, "edge_agent_mqtt_failed_total") > 0, 30.0, "a failed connection")
        wait_until(lambda: _value(agent, "edge_agent_sync_failures_total") > 0, 60.0, "a failed request")
        hub.answer_with = lambda _method, _path: None
        broker.start()
        wait_until(lambda: _value(agent, "edge_agent_mqtt_replayed_total") > 0, 60.0, "results of the backlog")
        wait_until(lambda: _value(agent, "edge_agent_publish_latency_seconds_count") > 0, 60.0, "a result of now")
        wait_until(lambda: _value(agent, "edge_agent_alarms_raised_total") > 0, 30.0, "an alarm")
        wait_until(lambda: _value(agent, "edge_agent_restarts_total") > 0, 30.0, "a restart")
        wait_until(lambda: _value(agent, "edge_agent_input_fault") > 0, 60.0, "a fault of an input")
        wait_until(lambda: _value(agent, "edge_agent_samples_skipped_total") > 0, 30.0, "a skipped sample")
        wait_until(lambda: _value(agent, "edge_agent_sync_clips_acknowledged_total") > 0, 60.0, "a clip at the hub")
        wait_until(lambda: _value(agent, "edge_agent_sync_events_reconciled_total") > 0, 60.0, "events at the hub")
        wait_until(lambda: _value(agent, "edge_agent_sync_reports_total") > 0, 60.0, "a report")
        yield agent
        assert agent.stop() == 0
    assert "Traceback" not in site.log.read_text()


def _families(agent: Agent) -> dict[str, dict[str, float]]:
    _, text = agent.get("/metrics")
    return {
        family.name: {f"{sample.name}{sample.labels}": sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def _value(agent: Agent, sample: str) -> float:
    return sum(
        value
        for samples in _families(agent).values()
        for name, value in samples.items()
        if name.partition("{")[0] == sample
    )


def test_every_metric_moves_or_is_known_to_stand_still(faulty: Agent) -> None:
    families = _families(faulty)
    dead = {name for name, samples in families.items() if not any(value != 0 for value in samples.values())}
    assert dead <= STILL.keys(), "set by nothing: wire them, remove them or give the reason in STILL"
    assert STILL.keys() <= families.keys(), "no longer exist"
    stages = {name for name in families["edge_agent_stage_duration_seconds"] if "_count" in name}
    assert len(stages) == 4


def test_the_books_hold_in_every_scrape(faulty: Agent) -> None:
    for _ in range(5):
        families = _families(faulty)

        def total(outcome: str, families: dict[str, dict[str, float]] = families) -> float:
            return sum(families[f"edge_agent_samples_{outcome}"].values())

        assert total("captured") == total("scored") + total("skipped") + total("lost") + total("pending") > 0


def test_promtool_finds_nothing(faulty: Agent) -> None:
    assert PROMTOOL is not None
    _, text = faulty.get("/metrics")
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("expression", ["edge_agent_windows_total > 0"])
def test_a_real_prometheus_scrapes_it(faulty: Agent, tmp_path: Path, expression: str) -> None:
    with prometheus(tmp_path / "prometheus", faulty.http_port) as server:
        wait_until(lambda: bool(server.query(expression)), 30.0, expression)
        assert [series.value for series in server.query("up")] == [1.0]
        balance = (
            "sum(edge_agent_samples_captured_total) - sum(edge_agent_samples_scored_total) "
            "- sum(edge_agent_samples_skipped_total) - sum(edge_agent_samples_lost_total) "
            "- sum(edge_agent_samples_pending)"
        )
        assert [series.value for series in server.query(balance)] == [0.0]
        windows = server.query('edge_agent_windows_total{machine="pump_1",state="alarm"}')
        assert [series.value > 0 for series in windows] == [True]
