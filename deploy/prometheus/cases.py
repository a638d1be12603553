"""Writes the cases of the alert rules, rules/*.tests.yml; `--check` fails where a file is not what it would write.

Every case is a healthy gateway of which one thing changes: half an hour of health, then the fault, then health again.
promtool compares the whole set of firing alerts before, in the fault and after it, and what the alert says to a person.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final = Path(__file__).parent / "rules" / "edge-agent.rules.yml"
FILES: Final = {2: RULES.with_name("edge-agent.tests.yml"), 4: RULES.with_name("edge-agent.long.tests.yml")}
_HEALTHY_MIN: Final = 32
_LONG_MIN: Final = 700
_PLACE: Final = {"instance": "gw:9105", "site": "main", "gateway": "gw"}


@dataclass(frozen=True)
class Values:
    """One series over a case: what it is, or by how much it grows, each minute.

    Attributes:
        healthy: Value of a gauge, or growth of a counter.
        fault: The same in the fault; None for a series that is not there then.
        counts: Whether it is a counter.
        absent: Whether it is there in the fault only.
        begins: A counter's value at the start of the fault, for one that jumps.
    """

    healthy: float = 0
    fault: float | None = 0
    counts: bool = False
    absent: bool = False
    begins: float = 0


@dataclass(frozen=True)
class Case:
    """One alert in one situation.

    Attributes:
        alert: Which fires; empty for none.
        about: What sets the situation apart from others of the same alert.
        changes: The series that change, by their name in `HEALTHY`, or new ones.
        labels: Of the alert besides its place and severity.
        says: Its summary.
        describes: Its description, where it has one.
        fault_min: How long the fault lasts, minutes.
        fires_min: From how many minutes into the fault on it fires.
        after_min: How long after the fault it is silent again.
        before_min: How long health lasts before the fault.
        ends: Whether health comes back.
        place: The labels that say where.
    """

    alert: str
    changes: Mapping[str, Values]
    says: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    describes: str = ""
    fault_min: int = 40
    fires_min: int = 16
    after_min: int = 70
    before_min: int = _HEALTHY_MIN
    ends: bool = True
    place: Mapping[str, str] = field(default_factory=lambda: _PLACE)

    @property
    def step_min(self) -> int:
        """Minutes between samples: what lasts for days needs no finer ones."""
        return 2 if self.before_min + self.fault_min + self.after_min < _LONG_MIN else 4

    @property
    def name(self) -> str:
        """Unique among all."""
        return ", ".join(part for part in (self.alert or "healthy", self.about) if part)


def _still(value: float) -> Values:
    return Values(value, value)


def _grows(by: float) -> Values:
    return Values(by, by, counts=True)


def _same_then(healthy: float, fault: float) -> Values:
    return Values(healthy, fault)


def _counts(fault: float, *, at_once: float = 0, healthy: float = 0) -> Values:
    return Values(healthy, fault, counts=True, begins=at_once)


_SAMPLES: Final = 960_000
_STATES: Final = (
    "unacknowledged", "acknowledged", "returned_unacknowledged", "latched", "suppressed", "shelved", "out_of_service",
)  # fmt: skip
HEALTHY: Final[Mapping[str, Values]] = {
    "up{job=edge-agent}": _still(1),
    "edge_agent_start_time_seconds": _still(0),
    "edge_agent_clock_synced": _still(1),
    "edge_agent_plant_event": _still(0),
    "edge_agent_state_disk_free_bytes": _still(5_000_000),
    "edge_agent_state_disk_size_bytes": _still(9_000_000),
    "edge_agent_machine_info{machine=pump,type=pump,profile=calibrated}": _still(1),
    "edge_agent_alarm_state{machine=pump,state=normal}": _still(1),
    **{f"edge_agent_alarm_state{{machine=pump,state={state}}}": _still(0) for state in _STATES},
    "edge_agent_alarms_raised_total{machine=pump}": _grows(0),
    "edge_agent_input_fault{machine=pump,fault=identity_mismatch}": _still(0),
    "edge_agent_input_fault{machine=pump,fault=source_down}": _still(0),
    "edge_agent_window_score{machine=pump}": _still(1),
    "edge_agent_window_threshold{machine=pump}": _still(4),
    "edge_agent_windows_total{machine=pump,state=normal}": _grows(6),
    "edge_agent_windows_total{machine=pump,state=alarm}": _grows(0),
    "edge_agent_windows_total{machine=pump,state=uncommissioned}": _grows(0),
    "edge_agent_windows_total{machine=pump,state=input_fault}": _grows(0),
    "edge_agent_windows_total{machine=unknown,state=unknown}": Values(0, 0, counts=True),
    "edge_agent_source_state{source=mic,state=up}": _still(1),
    "edge_agent_source_state{source=mic,state=down}": _still(0),
    "edge_agent_source_state{source=mic,state=degraded}": _still(0),
    "edge_agent_samples_captured_total{source=mic,channel=0}": _grows(_SAMPLES),
    "edge_agent_samples_scored_total{source=mic,channel=0}": _grows(_SAMPLES),
    "edge_agent_samples_skipped_total{source=mic,channel=0,reason=low_coverage}": _grows(0),
    "edge_agent_samples_lost_total{source=mic,channel=0,reason=overrun}": _grows(0),
    "edge_agent_samples_pending{source=mic,channel=0}": _still(0),
    "edge_agent_restarts_total{component=mic}": _grows(0),
    "edge_agent_queue_depth_items{queue=blocks}": _still(2),
    "edge_agent_mqtt_connected": _still(1),
    "edge_agent_mqtt_connections_total": _grows(0),
    "edge_agent_mqtt_failed_total{reason=connect}": _grows(0.1),
    "edge_agent_mqtt_failed_total{reason=tls}": _grows(0),
    "edge_agent_mqtt_refused_total{operation=publish,reason=not_authorized}": _grows(0),
    "edge_agent_publish_latency_seconds_bucket{le=1.0}": _grows(6),
    "edge_agent_publish_latency_seconds_bucket{le=60.0}": _grows(6),
    "edge_agent_publish_latency_seconds_bucket{le=+Inf}": _grows(6),
    "edge_agent_outbox_oldest_age_seconds": _still(1),
    "edge_agent_outbox_dropped_total{reason=cap}": _grows(0),
    "edge_agent_outbox_errors_total{reason=io}": _grows(0),
    "edge_agent_outbox_files_set_aside_total": _grows(0),
    "edge_agent_intake_given_up_total": _grows(0),
    "edge_agent_intake_held_events": _still(0),
    "edge_agent_alarm_store_failures_total{operation=save}": _grows(0),
    "edge_agent_alarm_store_failures_total{operation=damaged}": _grows(0),
    "edge_agent_clips_errors_total{reason=io_error}": _grows(0),
    "edge_agent_sync_hub_reached": _still(1),
    "edge_agent_sync_failures_total{reason=away}": _grows(0.2),
    "edge_agent_sync_failures_total{reason=denied}": _grows(0),
    "edge_agent_sync_clips_set_aside{reason=speech}": _still(3),
    "edge_agent_sync_clips_set_aside{reason=refused}": _still(0),
    "edge_agent_sync_journal_lost_total{reason=cap}": _grows(0),
    "edge_agent_model_confirmed": _still(1),
    "edge_agent_model_changes_total{outcome=taken}": _counts(0, at_once=1),
    "edge_agent_model_changes_total{outcome=went_back}": _grows(0),
    "edge_agent_model_changes_total{outcome=refused}": _grows(0),
    "edge_agent_model_changes_total{outcome=left_at_start}": _grows(0),
}
"""A gateway with one microphone at one machine, a broker and a hub, and what is usual: a wait for the hub now and then,
clips with speech that are not sent, a new bundle, a window that told of no known machine."""

_PUMP: Final = {"machine": "pump"}
_UNACKNOWLEDGED: Final = "edge_agent_alarm_state{machine=pump,state=unacknowledged}"
_RETURNED: Final = "edge_agent_alarm_state{machine=pump,state=returned_unacknowledged}"

CASES: Final = (
    Case("", {}, fault_min=180),
    Case(
        "EdgeAgentMachineAlarm",
        {_UNACKNOWLEDGED: _same_then(0, 1), "edge_agent_window_score{machine=pump}": _same_then(1, 9)},
        "pump sounds unlike its normal self",
        {**_PUMP, "state": "unacknowledged"},
        describes="Its alarm is raised and nobody has acknowledged it. The last window scored 2.2 times its threshold.",
        fires_min=2,
        after_min=8,
    ),
    Case(
        "EdgeAgentAlarmUnattended",
        {_RETURNED: _same_then(0, 1)},
        "The alarm of pump was not acknowledged for 4 hours",
        _PUMP,
        fault_min=300,
        fires_min=248,
        after_min=8,
    ),
    Case(
        "EdgeAgentPlantEvent",
        {
            "edge_agent_plant_event": _same_then(0, 1),
            "edge_agent_alarm_state{machine=pump,state=suppressed}": _same_then(0, 1),
        },
        "Most machines of gw:9105 sound odd at once",
        fires_min=2,
        after_min=8,
    ),
    Case(
        "EdgeAgentAlarmFlood",
        {"edge_agent_alarms_raised_total{machine=pump}": _counts(0.1)},
        "pump raised 9 alarms in a day",
        _PUMP,
        describes="Its budget is about one false alarm a week: the machine changed, the surroundings did, or it was "
        "learnt from too little.",
        fault_min=92,
        fires_min=84,
        after_min=0,
        ends=False,
    ),
    Case(
        "EdgeAgentDrift",
        {
            "edge_agent_windows_total{machine=pump,state=normal}": _counts(4, healthy=6),
            "edge_agent_windows_total{machine=pump,state=alarm}": _counts(2),
        },
        "33.33% of the windows of pump lay above the threshold for a day",
        _PUMP,
        fault_min=1620,
        fires_min=1600,
        after_min=720,
    ),
    Case(
        "",
        {
            "edge_agent_windows_total{machine=pump,state=normal}": _counts(2, healthy=6),
            "edge_agent_windows_total{machine=pump,state=alarm}": _counts(4),
        },
        about="a machine that is first heard today, and in alarm for hours, has not drifted",
        fault_min=600,
    ),
    Case(
        "EdgeAgentMachineNotHeard",
        {"edge_agent_windows_total{machine=pump,state=normal}": _counts(0, healthy=6)},
        "No window of pump was finished for 5 minutes",
        _PUMP,
        after_min=8,
    ),
    Case(
        "EdgeAgentMachineNotCommissioned",
        {
            "edge_agent_machine_info{machine=pump,type=pump,profile=calibrated}": Values(1, None),
            "edge_agent_machine_info{machine=pump,type=pump,profile=none}": Values(1, 1, absent=True),
            "edge_agent_windows_total{machine=pump,state=uncommissioned}": _counts(6),
            "edge_agent_windows_total{machine=pump,state=normal}": _counts(0, healthy=6),
        },
        "Nothing was learnt of pump, so nothing can be said of it",
        _PUMP,
        fault_min=90,
        fires_min=68,
        after_min=10,
    ),
    Case(
        "EdgeAgentInputFault",
        {"edge_agent_input_fault{machine=pump,fault=identity_mismatch}": _same_then(0, 1)},
        "The input of pump is unfit: identity mismatch",
        {**_PUMP, "fault": "identity_mismatch"},
        fires_min=2,
        after_min=8,
    ),
    Case(
        "EdgeAgentSourceDown",
        {
            "edge_agent_source_state{source=mic,state=up}": _same_then(1, 0),
            "edge_agent_source_state{source=mic,state=down}": _same_then(0, 1),
            "edge_agent_input_fault{machine=pump,fault=source_down}": _same_then(0, 1),
        },
        "Source mic is down",
        {"source": "mic", "state": "down"},
        fires_min=4,
        after_min=8,
    ),
    Case(
        "EdgeAgentSourceDegraded",
        {
            "edge_agent_source_state{source=mic,state=up}": _same_then(1, 0),
            "edge_agent_source_state{source=mic,state=degraded}": _same_then(0, 1),
        },
        "Source mic has been degraded for 5 minutes",
        {"source": "mic", "state": "degraded"},
        fires_min=8,
        after_min=8,
    ),
    Case(
        "EdgeAgentSamplesLost",
        {
            "edge_agent_samples_scored_total{source=mic,channel=0}": _counts(0.98 * _SAMPLES, healthy=_SAMPLES),
            "edge_agent_samples_lost_total{source=mic,channel=0,reason=overrun}": _counts(0.02 * _SAMPLES),
        },
        "Source mic loses 2% of its samples",
        {"source": "mic"},
        fires_min=20,
        after_min=20,
    ),
    Case(
        "EdgeAgentLedgerBroken",
        {"edge_agent_samples_pending{source=mic,channel=0}": _same_then(0, 512)},
        "-512 samples of mic channel 0 are unaccounted for",
        {"source": "mic", "channel": "0"},
        describes="captured = scored + skipped + lost + pending holds at every scrape. This is a defect of the "
        "software.",
        fires_min=4,
        after_min=8,
    ),
    Case(
        "EdgeAgentScorerBehind",
        {"edge_agent_queue_depth_items{queue=blocks}": _same_then(2, 500)},
        "gw:9105: the gateway does not keep up: 500 blocks wait to be scored",
        {"queue": "blocks"},
        fires_min=6,
        after_min=8,
    ),
    Case(
        "EdgeAgentBrokerUnreachable",
        {"edge_agent_mqtt_connected": _same_then(1, 0)},
        "gw:9105: the broker has not been reached for 5 minutes; results wait on the gateway's disk",
        fires_min=8,
        after_min=8,
    ),
    Case(
        "EdgeAgentBrokerFlaps",
        {"edge_agent_mqtt_connections_total": _counts(0.5)},
        "gw:9105: the broker was lost and found again 8 times in 15 minutes",
        fires_min=30,
        after_min=20,
    ),
    Case(
        "EdgeAgentBacklogOld",
        {"edge_agent_outbox_oldest_age_seconds": _same_then(1, 90_000)},
        "gw:9105: the oldest event has waited for 1d 1h 0m 0s",
        describes="The oldest results are dropped after the age that mqtt.outbox sets; alarms never are.",
        after_min=8,
    ),
    Case(
        "EdgeAgentResultsDropped",
        {"edge_agent_outbox_dropped_total{reason=cap}": _counts(0, at_once=60)},
        "gw:9105: 60 results were given up in an hour (cap)",
        {"reason": "cap"},
    ),
    Case(
        "EdgeAgentEventsLost",
        {"edge_agent_intake_given_up_total": _counts(0, at_once=3)},
        "gw:9105: 3 events were lost: disk and memory are full",
    ),
    Case(
        "EdgeAgentDiskFails",
        {"edge_agent_outbox_errors_total{reason=io}": _counts(1)},
        "gw:9105: the gateway's disk refuses events",
        {"what": "events"},
        after_min=16,
    ),
    Case(
        "EdgeAgentDiskFails",
        {"edge_agent_intake_held_events": _same_then(0, 5)},
        "gw:9105: the gateway's disk refuses events",
        {"what": "events"},
        about="what it refused waits in memory",
        after_min=8,
    ),
    Case(
        "EdgeAgentDiskFails",
        {"edge_agent_alarm_store_failures_total{operation=save}": _counts(1)},
        "gw:9105: the gateway's disk refuses alarms",
        {"what": "alarms"},
        about="alarms alone",
        after_min=16,
    ),
    Case(
        "EdgeAgentDiskFails",
        {"edge_agent_clips_errors_total{reason=io_error}": _counts(1)},
        "gw:9105: the gateway's disk refuses clips",
        {"what": "clips"},
        about="clips alone",
        after_min=16,
    ),
    Case(
        "EdgeAgentDiskAlmostFull",
        {"edge_agent_state_disk_free_bytes": _same_then(5_000_000, 90_000)},
        "gw:9105: the gateway's disk has 1% of its room left",
        fires_min=8,
        after_min=8,
    ),
    Case(
        "EdgeAgentOutboxDamaged",
        {"edge_agent_outbox_files_set_aside_total": _same_then(0, 1)},
        "gw:9105: a damaged outbox was set aside and a new one begun",
        {"file": "outbox"},
        fires_min=2,
        after_min=8,
    ),
    Case(
        "EdgeAgentOutboxDamaged",
        {"edge_agent_alarm_store_failures_total{operation=damaged}": _same_then(0, 1)},
        "gw:9105: a damaged file of alarms was set aside and a new one begun",
        {"file": "file of alarms"},
        about="the file of alarms",
        fires_min=2,
        after_min=8,
    ),
    Case(
        "EdgeAgentPublishSlow",
        {"edge_agent_publish_latency_seconds_bucket{le=1.0}": _counts(3, healthy=6)},
        "gw:9105: 1 % of the results reach the broker more than 58.82s after their window's end",
        fires_min=30,
        after_min=20,
    ),
    Case(
        "EdgeAgentPublishRefused",
        {"edge_agent_mqtt_refused_total{operation=publish,reason=not_authorized}": _counts(0, at_once=1)},
        "gw:9105: gateway and broker do not come together (publish: not authorized)",
        {"operation": "publish", "reason": "not_authorized"},
        fault_min=14,
        fires_min=4,
        after_min=20,
    ),
    Case(
        "EdgeAgentPublishRefused",
        {"edge_agent_mqtt_failed_total{reason=tls}": _counts(1)},
        "gw:9105: gateway and broker do not come together (connect: tls)",
        {"operation": "connect", "reason": "tls"},
        about="a certificate",
        fires_min=6,
        after_min=20,
    ),
    Case(
        "EdgeAgentHubUnreachable",
        {"edge_agent_sync_hub_reached": _same_then(1, 0), "edge_agent_start_time_seconds": Values(0, 90_000)},
        "gw:9105: the hub has not answered for a day; clips and events wait on the gateway",
        fault_min=1500,
        fires_min=1452,
        after_min=8,
    ),
    Case(
        "EdgeAgentHubRefuses",
        {"edge_agent_sync_failures_total{reason=denied}": _counts(0.07)},
        "gw:9105: gateway and hub do not come together: denied",
        {"reason": "denied"},
        fires_min=30,
    ),
    Case(
        "EdgeAgentClipsRefused",
        {"edge_agent_sync_clips_set_aside{reason=refused}": _same_then(0, 2)},
        "gw:9105: 2 clips are not sent to the hub: refused",
        {"reason": "refused"},
        fault_min=90,
        fires_min=68,
        after_min=8,
    ),
    Case(
        "EdgeAgentJournalLoses",
        {"edge_agent_sync_journal_lost_total{reason=cap}": _counts(0, at_once=7)},
        "gw:9105: 7 events left the journal before the hub was known to have them (cap)",
        {"reason": "cap"},
    ),
    Case(
        "EdgeAgentBundleLeft",
        {"edge_agent_model_changes_total{outcome=went_back}": _counts(0, at_once=1)},
        "gw:9105: a bundle of the hub was left or refused; the last good one runs",
    ),
    Case(
        "EdgeAgentBundleLeft",
        {
            "edge_agent_start_time_seconds": Values(0, 1_800),
            "edge_agent_model_changes_total{outcome=left_at_start}": _same_then(0, 1),
        },
        "gw:9105: a bundle of the hub was left or refused; the last good one runs",
        about="at the start, where no sample shows an increase",
        fault_min=48,
    ),
    Case(
        "EdgeAgentBundleNotConfirmed",
        {"edge_agent_model_confirmed": _same_then(1, 0)},
        "gw:9105: the new bundle has not done well for an hour",
        fault_min=90,
        fires_min=68,
        after_min=8,
    ),
    Case(
        "EdgeAgentDown",
        {"up{job=edge-agent}": _same_then(1, 0)},
        "The agent on gw:9105 does not answer",
        {"job": "edge-agent"},
        fires_min=4,
        after_min=8,
    ),
    Case(
        "EdgeAgentDown",
        {"edge_agent_start_time_seconds": Values(0, None)},
        "The agent on gw:9105 does not answer",
        {"job": "edge-agent"},
        about="something else answers at its address",
        fires_min=10,
        after_min=10,
    ),
    Case(
        "EdgeAgentNotScraped",
        {
            "up{job=edge-agent}": Values(1, None),
            "up{job=edge-agent,instance=gw2:9105,gateway=gw2}": _still(1),
            "edge_agent_start_time_seconds{instance=gw2:9105,gateway=gw2}": _still(0),
        },
        "Prometheus no longer asks gw:9105",
        {"job": "edge-agent"},
        about="one of two",
        fires_min=20,
        after_min=10,
    ),
    Case(
        "EdgeAgentNotScraped",
        {"up{job=edge-agent}": Values(1, None, absent=True), "edge_agent_start_time_seconds": Values(0, None)},
        "Prometheus no longer asks any gateway",
        {"job": "edge-agent"},
        about="there never was one",
        before_min=0,
        ends=False,
        place={},
    ),
    Case(
        "EdgeAgentCrashLoop",
        {"edge_agent_start_time_seconds": _counts(180)},
        "gw:9105: the agent was started 9 times in half an hour",
        after_min=40,
    ),
    Case(
        "EdgeAgentPartRestarts",
        {"edge_agent_restarts_total{component=mic}": _counts(1)},
        "gw:9105: mic was restarted 15 times in 15 minutes",
        {"component": "mic"},
        fires_min=30,
        after_min=20,
    ),
    Case(
        "EdgeAgentClockNotSynced",
        {"edge_agent_clock_synced": _same_then(1, 0)},
        "The wall clock of gw:9105 is not synchronised; times in events are marked",
        fires_min=20,
        after_min=8,
    ),
)


def texts() -> dict[Path, str]:
    """The files: one of cases of hours, one of cases of days."""
    rules = {
        rule["alert"]: rule
        for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    return {
        path: f"# Cases of the alerts, run with: promtool test rules {path.name}\n"
        "# Written by deploy/prometheus/cases.py: change it there.\n"
        + yaml.safe_dump(
            {
                "rule_files": [RULES.name],
                "evaluation_interval": f"{step_min}m",
                "tests": [_test(case, rules.get(case.alert, {})) for case in CASES if case.step_min == step_min],
            },
            sort_keys=False,
            width=1000,
        )
        for step_min, path in FILES.items()
    }


def _test(case: Case, rule: Mapping[str, Any]) -> dict[str, Any]:
    series = {**HEALTHY, **case.changes}
    begin, end = case.before_min, case.before_min + case.fault_min
    silent = [at for at, there in ((begin - case.step_min, begin > 0), (end + case.after_min, case.ends)) if there]
    fires = [begin + case.fires_min, end - case.step_min]
    test: dict[str, Any] = {
        "name": case.name,
        "interval": f"{case.step_min}m",
        "input_series": [
            {"series": _series(name), "values": told}
            for name, values in series.items()
            if (told := _told(values, case)) is not None
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{at}m",
                "exp_samples": [{"labels": f'{{alertname="{case.alert}"}}', "value": 1}]
                if case.alert and at in fires
                else [],
            }
            for at in sorted({*silent, *fires})
        ],
    }
    if case.alert:
        said = {"summary": case.says, "runbook_url": rule["annotations"]["runbook_url"]}
        if case.describes:
            said["description"] = case.describes
        labels = {**case.place, **case.labels, **rule["labels"]}
        test["alert_rule_test"] = [
            {
                "eval_time": f"{fires[0]}m",
                "alertname": case.alert,
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": said}],
            }
        ]
    return test


def _series(name: str) -> str:
    """A series with the place of the gateway, where its name says no other."""
    family, _, labels = name.rstrip("}").partition("{")
    own = dict(pair.split("=", 1) for pair in labels.split(",") if pair)
    return family + "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in {**_PLACE, **own}.items()) + "}"


def _told(values: Values, case: Case) -> str | None:
    """A series in promtool's words; None for one that is never there."""
    parts, last, step = [], -values.healthy * case.step_min, case.step_min
    for minutes, value, at_once in (
        (case.before_min, None if values.absent else values.healthy, 0.0),
        (case.fault_min, values.fault, values.begins),
        (case.after_min + step, None if values.absent else values.healthy, 0.0),
    ):
        points = minutes // step
        if points == 0:
            continue
        if value is None:
            parts.append(f"_x{points}")
        elif values.counts:
            first = last + at_once + value * step
            parts.append(f"{first:.12g}+{value * step:.12g}x{points - 1}")
            last = first + value * step * (points - 1)
        else:
            parts.append(f"{value:.12g}x{points - 1}")
    return None if all(part.startswith("_") for part in parts) else " ".join(parts)


def main() -> int:
    """Write or check; exit status 1 when a file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where the file is out of date")
    check = parser.parse_args().check
    stale = {path: text for path, text in texts().items() if not path.is_file() or path.read_text() != text}
    for path, text in stale.items():
        print(f"{'out of date' if check else 'written'}: {path.name}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
