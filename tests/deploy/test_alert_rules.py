"""Every alert has a case in which it alone fires, a runbook, and words for a person; healthy, all are silent.

What a rule asks for is what a real agent tells: tests/end_to_end/test_observability.py.
"""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.prometheus.cases import CASES, FILES, texts
from tests.support.agent import ROOT
from tests.support.prometheus import PROMTOOL, needs_prometheus

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules" / "edge-agent.rules.yml"

_GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in _GROUPS for rule in group["rules"] if "alert" in rule}


def _promtool(*words: str | Path) -> tuple[int, str]:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *map(str, words)], capture_output=True, text=True, timeout=300, check=False, cwd=PROMETHEUS
    )
    return done.returncode, done.stdout + done.stderr


@needs_prometheus
def test_promtool_takes_the_configuration_and_the_rules() -> None:
    status, said = _promtool("check", "config", "prometheus.yml")
    assert status == 0, said
    assert f"{sum(len(group['rules']) for group in _GROUPS)} rules found" in said


@needs_prometheus
@pytest.mark.parametrize("path", FILES.values(), ids=lambda path: path.name)
def test_every_case_comes_true(path: Path) -> None:
    status, said = _promtool("test", "rules", path)
    assert (status, "SUCCESS" in said, "FAILED" in said) == (0, True, False), said


def test_every_alert_has_a_case_and_there_is_a_healthy_one() -> None:
    names = [case.name for case in CASES]
    assert {name.partition(",")[0] for name in names} == {*ALERTS, "healthy"}
    assert len(set(names)) == len(names)


def test_the_files_are_what_the_cases_make() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in RULES.parent.glob("*.tests.yml")} == texts()


@needs_prometheus
def test_a_rule_that_never_fires_is_found(tmp_path: Path) -> None:
    """The cases can fail: the threshold of one rule is put out of reach."""
    spoilt = RULES.read_text(encoding="utf-8").replace('up{job="edge-agent"} == 0', 'up{job="edge-agent"} == 2')
    (tmp_path / RULES.name).write_text(spoilt, encoding="utf-8")
    cases = yaml.safe_load(FILES[2].read_text(encoding="utf-8"))
    cases["tests"] = [case for case in cases["tests"] if case["name"] == "EdgeAgentDown"]
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    status, said = _promtool("test", "rules", tmp_path / "cases.yml")
    assert status != 0
    assert "EdgeAgentDown" in said


@pytest.mark.parametrize("name", ALERTS)
def test_it_has_words_and_a_runbook_that_names_it(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"]["summary"]
    page = (ROOT / rule["annotations"]["runbook_url"]).read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    assert "## Look" in page
    assert "## Mend" in page


def test_no_runbook_is_left_without_its_alert() -> None:
    directory = ROOT / "docs" / "runbooks"
    assert {path.stem for path in directory.glob("*.md")} == {*ALERTS, "README"}
    listed = re.findall(r"\]\((\w+)\.md\)", (directory / "README.md").read_text(encoding="utf-8"))
    assert set(listed) == set(ALERTS)
