from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as text_string_to_openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.observe.health import State
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.readings import MachineReading
from tests.observe.scrape import LEDGER, moved


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(moved()), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("samples_captured_total", {"source": "mic", "channel": "0"}, 1000),
        ("samples_skipped_total", {"source": "mic", "channel": "0", "reason": "tail"}, 100),
        ("samples_lost_total", {"source": "mic", "channel": "0", "reason": "overrun"}, 80),
        ("windows_total", {"machine": "fan-1", "state": "alarm"}, 1),
        ("windows_total", {"machine": "fan-1", "state": "normal"}, 0),
        ("window_score", {"machine": "fan-1"}, 5.5),
        ("window_threshold", {"machine": "fan-1"}, 4.0),
        ("window_percentile_ratio", {"machine": "fan-1"}, 0.995),
        ("window_level_dbfs", {"machine": "fan-1"}, -30.0),
        ("window_level_db_spl", {"machine": "fan-1"}, 64.0),
        ("input_finding", {"machine": "fan-1", "finding": "identity_mismatch"}, 1),
        ("input_finding", {"machine": "fan-1", "finding": "hum"}, 0),
        ("alarm_state", {"machine": "fan-1", "state": "unacknowledged"}, 1),
        ("alarm_state", {"machine": "fan-1", "state": "normal"}, 0),
        ("alarm_raised_timestamp_seconds", {"machine": "fan-1"}, 1.6e9),
        ("machine_info", {"machine": "fan-1", "type": "fan", "profile": "provisional"}, 1),
        ("alarms_raised_total", {"machine": "fan-1"}, 1),
        ("clip_score_ratio_bucket", {"machine": "fan-1", "le": "1.25"}, 0),
        ("clip_score_ratio_bucket", {"machine": "fan-1", "le": "1.5"}, 1),
        ("clip_score_ratio_sum", {"machine": "fan-1"}, 1.375),
        ("page_frames_shed_total", {"cause": "behind"}, 32),
        ("page_frames_shed_total", {"cause": "slow_viewer"}, 0),
        ("alarm_changes_total", {"kind": "anomaly", "event": "raise"}, 1),
        ("alarm_store_failures_total", {"operation": "save"}, 1),
        ("input_fault", {"machine": "fan-1", "fault": "hum"}, 1),
        ("input_fault", {"machine": "fan-1", "fault": "dead"}, 0),
        ("plant_event", {}, 1),
        ("commands_total", {"verb": "shelve", "outcome": "expired"}, 1),
        ("mqtt_refused_total", {"operation": "publish", "reason": "not_authorized"}, 6),
        ("mqtt_broker_position", {}, 1),
        ("mqtt_failovers_total", {}, 2),
        ("learning_frozen", {"machine": "fan-1"}, 1),
        ("publish_latency_seconds_count", {}, 1),
        ("stage_duration_seconds_sum", {"stage": "encode"}, 0.01),
        ("outbox_events", {"priority": "result"}, 4),
        ("outbox_payload_bytes", {}, 9000),
        ("outbox_oldest_age_seconds", {}, 12.5),
        ("outbox_dropped_total", {"reason": "cap"}, 2),
        ("mqtt_connected", {}, 1),
        ("mqtt_published_total", {}, 45),
        ("mqtt_failed_total", {"reason": "connect"}, 3),
        ("mqtt_connections_total", {}, 2),
        ("source_state", {"source": "mic", "state": "up"}, 1),
        ("source_state", {"source": "mic", "state": "down"}, 0),
        ("restarts_total", {"component": "capture"}, 1),
        ("queue_depth_items", {"queue": "blocks"}, 3),
        ("clips_stored", {"reason": "alarm"}, 3),
        ("clips_stored_bytes", {"reason": "alarm"}, 900_000),
        ("clips_kept_total", {"reason": "alarm"}, 4),
        ("clips_dropped_total", {"reason": "random", "cause": "speech"}, 2),
        ("clips_removed_total", {"cause": "evicted"}, 1),
        ("clips_errors_total", {"reason": "disk_full"}, 5),
        ("clips_screened_total", {"verdict": "clear"}, 6),
        ("clips_ring_bytes", {}, 2_600_000),
        ("clips_waiting_bytes", {}, 7),
        ("intake_held_events", {}, 2),
        ("intake_given_up_total", {}, 4),
        ("clock_synced", {}, 1),
        ("model_info", {"name": "base", "version": "2", "sha256": "bb"}, 1),
        ("model_info", {"name": "base", "version": "1", "sha256": "aa"}, None),
        ("build_info", {"version": "0.1.0", "python": "3.11.7"}, 1),
        ("start_time_seconds", {}, 1.7e9),
    ],
)
def test_every_metric_says_what_was_told(name: str, labels: dict[str, str], value: float | None) -> None:
    assert moved().get_sample_value(f"edge_agent_{name}", labels) == value


def test_every_metric_is_ours_helped_and_moved() -> None:
    for family in text_string_to_metric_families(generate_latest(moved()).decode()):
        assert family.name.startswith("edge_agent_")
        assert len(family.documentation) > 10
        assert any(sample.value for sample in family.samples), f"{family.name} never moved"


def test_exemplars_name_the_alarm_and_the_clip() -> None:
    named = {
        sample.name: (sample.labels, sample.exemplar.labels, sample.exemplar.value)
        for family in text_string_to_openmetrics_families(generate_openmetrics(moved()).decode())
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert named == {
        "edge_agent_alarms_raised_total": ({"machine": "fan-1"}, {"alarm_id": "01ALARM", "clip_id": "01CLIP"}, 0),
        "edge_agent_clip_score_ratio_bucket": ({"machine": "fan-1", "le": "1.5"}, {"clip_id": "01CLIP"}, 1.375),
    }


def test_a_scrape_balances_the_ledger_and_is_read_anew() -> None:
    registry = CollectorRegistry()
    readings = [LEDGER]
    Metrics(registry).watch_ledgers(lambda: readings)

    def total(name: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(generate_latest(registry).decode())
            for sample in family.samples
            if sample.name == f"edge_agent_samples_{name}"
        )

    parts = ("scored_total", "skipped_total", "lost_total", "pending")
    assert total("captured_total") == sum(total(part) for part in parts) == 1000
    readings.append(LEDGER)
    assert total("captured_total") == 2000


def test_silence_is_not_a_level() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.window_scored("m", state="uncommissioned", score=None, threshold=None, percentile=None, level_dbfs=None)
    level = registry.get_sample_value("edge_agent_window_level_dbfs", {"machine": "m"})
    assert level is not None
    assert math.isnan(level)
    assert registry.get_sample_value("edge_agent_window_score", {"machine": "m"}) is None


def test_labels_are_bounded() -> None:
    metrics = Metrics(CollectorRegistry())
    with pytest.raises(ValueError, match="none of"):
        metrics.alarm_state("m", "odd")
    with pytest.raises(ValueError, match="none of"):
        metrics.stage_took("odd", 1.0)
    metrics.source_state("mic", State.DOWN)


def _series(registry: CollectorRegistry) -> list[str]:
    return [
        f"{sample.name}{sample.labels}"
        for family in registry.collect()
        for sample in family.samples
        if "process" not in sample.name
    ]


def test_what_is_configured_away_is_told_of_no_more() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    kept = [MachineReading("fan-1", "fan", "none")]
    metrics.machines(kept)
    metrics.faults_known("fan-1", ("hum",))
    metrics.source_known("mic")
    before = _series(registry)
    metrics.machines([*kept, MachineReading("fan-2", "fan", "calibrated")])
    metrics.faults_known("fan-2", ("hum",))
    metrics.window_scored(
        "fan-2", state="alarm", score=5.0, threshold=4.0, percentile=99.0, level_dbfs=-30.0, level_db_spl=6.0, wall_s=1
    )  # fmt: skip
    metrics.alarm_state("fan-2", "latched", raised_s=1.0)
    metrics.alarm_raised("fan-2", "01ALARM")
    metrics.clip_kept("fan-2", "01CLIP", score=5.0, threshold=4.0)
    metrics.source_known("line")
    metrics.source_state("line", State.DOWN)
    metrics.restarted("line")
    assert len(_series(registry)) > len(before)
    metrics.machines(kept)
    metrics.source_gone("line")
    assert _series(registry) == before


def test_what_was_learnt_of_a_machine_is_told_once() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for profile in ("none", "provisional", "calibrated", "calibrated"):
        metrics.machines([MachineReading("fan-1", "fan", profile)])
        told = [series for series in _series(registry) if "machine_info" in series]
        assert told == [f"edge_agent_machine_info{ {'machine': 'fan-1', 'type': 'fan', 'profile': profile} }"]


def test_an_alarm_has_begun_at_some_time_until_it_is_over() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for state, raised_s in (("unacknowledged", 5.0), ("acknowledged", 5.0), ("shelved", None), ("normal", 5.0)):
        metrics.alarm_state("fan-1", state, raised_s=raised_s)
        shown = registry.get_sample_value("edge_agent_alarm_raised_timestamp_seconds", {"machine": "fan-1"})
        assert shown == (None if state == "normal" else raised_s)


def test_a_stepped_clock_leaves_the_latency_alone() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for latency_s in (-5.0, 1e9, 0.5):
        metrics.published(latency_s)
    assert registry.get_sample_value("edge_agent_publish_latency_seconds_sum") == 0.5


def test_two_agents_in_one_process_share_nothing() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    one, other = Metrics(first), Metrics(second)
    for metrics in (one, other):
        metrics.machines([MachineReading("fan-1", "fan", "none")])
    one.alarm_raised("fan-1", "01ALARM")
    raised = [r.get_sample_value("edge_agent_alarms_raised_total", {"machine": "fan-1"}) for r in (first, second)]
    assert raised == [1, 0]


def test_openmetrics_is_written_too() -> None:
    text = generate_openmetrics(moved()).decode()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    assert text.endswith("# EOF\n")
    assert "edge_agent_samples_captured_total" in text
