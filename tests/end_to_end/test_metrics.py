"""The running agent's metrics: every family moves in a run with faults, promtool finds nothing, Prometheus scrapes."""

import re
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as text_string_to_openmetrics_families

from edge_agent.inference.bundle import load_bundle
from tests.end_to_end.conftest import Plant
from tests.end_to_end.fault_run import RULES, UPDATES, Watcher, fault_run, needs_libfiu
from tests.support.agent import BUNDLE, ROOT, Agent
from tests.support.broker import needs_mosquitto, wait_until
from tests.support.prometheus import PROMTOOL, needs_prometheus

pytestmark = [
    pytest.mark.end_to_end,
    needs_mosquitto,
    needs_prometheus,
    needs_libfiu,
    pytest.mark.xdist_group("metrics"),
]

STILL = {
    "edge_agent_clips_waiting_bytes": "0 whenever the writer keeps up; tests/observe/test_metrics.py",
    "edge_agent_clock_synced": "0 where the tests run without a time server; tests/capture/test_clock.py",
    "edge_agent_intake_given_up": "the memory does not fill in some seconds; tests/delivery/test_intake.py",
    "edge_agent_outbox_dropped": "neither full nor old; tests/delivery/test_outbox_contract.py",
    "edge_agent_sync_journal_lost": "neither full nor old; tests/sync/test_events.py",
}
"""Families that nothing moves here, and who shows that they can be moved."""
CONSTANT = {
    "edge_agent_build_info", "edge_agent_machine_info", "edge_agent_model_info", "edge_agent_outbox_files_set_aside",
    "edge_agent_process_max_fds", "edge_agent_process_start_time_seconds", "edge_agent_start_time_seconds",
    "edge_agent_state_disk_size_bytes",
}  # fmt: skip
"""Families that have one value from the start on, which is not 0."""
DOCUMENTED = re.findall(
    r"^\| `(edge_agent_\w+?)(?:_total)?`",
    (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8"),
    re.M,
)


@pytest.fixture(scope="module")
def run(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    with fault_run(plant, tmp_path_factory.mktemp("faulty")) as watcher:
        yield watcher


@pytest.fixture
def faulty(run: Watcher) -> Agent:
    return run.agent


def _families(agent: Agent) -> dict[str, dict[str, float]]:
    return Watcher(agent).look()


def test_every_metric_moves_in_the_run(run: Watcher) -> None:
    run.look()
    assert run.most.keys() - run.moved <= STILL.keys() | CONSTANT, "moved by nothing: wire them, or remove them"
    assert STILL.keys() | CONSTANT <= run.most.keys(), "no longer exist"
    assert {name for name in CONSTANT if not any(run.most[name].values())} == set()
    stages = {name for name in run.most["edge_agent_stage_duration_seconds"] if "_count" in name}
    assert len(stages) == 4


def test_no_metric_is_left_out_of_the_run(run: Watcher) -> None:
    """Those of new bundles come with a hub that sends some: tests/end_to_end/test_rollout.py moves each."""
    assert set(DOCUMENTED) - run.most.keys() == set(UPDATES)
    assert run.most.keys() - set(DOCUMENTED) == set()


def test_no_label_comes_from_a_stranger(run: Watcher) -> None:
    """Values of labels are words of the code, or names of the configuration and of the bundle."""
    names = {"pump_1", "pump_2", "fan_1", "fan_2", "fan_3", "unknown", "film", "sim", "any", "slow", "gone", "line"}
    names |= set(load_bundle(BUNDLE, probe=False, self_test=False).manifest.labels)
    seen = {
        (label, value)
        for samples in run.most.values()
        for sample in samples
        for label, value in re.findall(r"'(\w+)': '([^']*)'", sample)
    }
    assert {value for label, value in seen if label in ("machine", "source", "component")} <= names
    words = {value for label, value in seen if label not in ("machine", "source", "component", "sha256", "python")}
    assert not [word for word in words if not re.fullmatch(r"[a-z0-9_]{1,24}|[0-9.e+-]+|\+Inf|[0-9.]+\S{0,20}", word)]
    assert sum(map(len, run.most.values())) < 1500


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


def test_openmetrics_is_what_the_standard_says(faulty: Agent) -> None:
    """Promtool reads the older format alone; the library's parser is strict, and a real Prometheus scrapes it below."""
    url = f"http://127.0.0.1:{faulty.http_port}/metrics"
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read().decode()
    families = {family.name for family in text_string_to_openmetrics_families(text)}
    assert families == _families(faulty).keys()


def test_a_real_prometheus_scrapes_it(run: Watcher) -> None:
    server = run.server
    assert server is not None
    assert [series.value for series in server.query("up")] == [1.0]
    balance = (
        "sum(edge_agent_samples_captured_total) - sum(edge_agent_samples_scored_total) "
        "- sum(edge_agent_samples_skipped_total) - sum(edge_agent_samples_lost_total) "
        "- sum(edge_agent_samples_pending)"
    )
    assert [series.value for series in server.query(balance)] == [0.0]
    windows = server.query('edge_agent_windows_total{machine="pump_1",state="alarm"}')
    assert [series.value > 0 for series in windows] == [True]


ALERTED = (
    "BrokerUnreachable", "ClipsRefused", "DiskFails", "InputFault", "MachineNotCommissioned", "OutboxDamaged",
    "PartRestarts", "PlantEvent", "PublishRefused", "SourceDown",
)  # fmt: skip
"""Alerts that a fault of the run begins; some fire only once it has lasted."""


def test_what_fails_begins_its_alert(run: Watcher) -> None:
    server = run.server
    assert server is not None
    for alert in ALERTED:
        expression = f'max_over_time(ALERTS{{alertname="EdgeAgent{alert}"}}[15m])'
        wait_until(lambda asked=expression: server.has_figures(asked), 60.0, alert)  # type: ignore[misc]  # a default of a lambda
    never = ("LedgerBroken", "EventsLost", "Down", "CrashLoop", "MachineNotHeard")
    for alert in never:
        fired = f'max_over_time(ALERTS{{alertname="EdgeAgent{alert}",alertstate="firing"}}[15m])'
        assert server.query(fired) == [], alert


def test_the_rules_ask_for_what_there_is(run: Watcher) -> None:
    """Each selector of each rule finds a series, so that no rule is silent for a name that is wrong."""
    server = run.server
    assert server is not None
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    asked = {
        f"{family}{matchers or ''}"
        for group in groups
        for rule in group["rules"]
        for family, matchers in re.findall(r"(?<![:\w])(edge_agent_\w+)(\{[^}]*\})?", rule["expr"])
        if not family.startswith(UPDATES)
    }
    assert len(asked) > 30
    assert [selector for selector in asked if not server.query(selector)] == []
