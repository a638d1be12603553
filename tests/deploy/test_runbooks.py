"""What the runbooks tell people to type, set and look up is there."""

import re
import shlex
from pathlib import Path

import pytest

from edge_agent.cli import _parser as parser_of_agent
from tests.support.agent import ROOT
from training_hub.cli import build_parser as parser_of_hub

PAGES = sorted([*(ROOT / "docs" / "runbooks").glob("*.md"), ROOT / "docs" / "observability.md"])
_PLACEHOLDERS = {"<machine>": "pump_1", "<id>": "pump_1", "<clip_id>": "01JC", "...": "x.wav"}
_SETTINGS = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
_METRICS = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")


def _spans(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))


def _commands() -> list[tuple[str, str]]:
    return [
        (page.stem, span)
        for page in PAGES
        for span in _spans(page)
        if span.startswith(("edge-agent ", "training-hub ")) and " run" not in span
    ]


@pytest.mark.parametrize(("page", "command"), _commands())
def test_a_command_is_understood(page: str, command: str) -> None:
    for placeholder, value in _PLACEHOLDERS.items():
        command = command.replace(placeholder, value)
    program, name, *rest = shlex.split(command)
    parser = parser_of_agent(name) if program == "edge-agent" else parser_of_hub()
    try:
        parser.parse_args([name, *rest])
    except SystemExit as refused:
        pytest.fail(f"{page}: {command}: status {refused.code}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings_metrics_and_alerts_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("`agent.toml`", "")
    for section, key in re.findall(r"`((?:agent|alarms|clips|http|hub|mqtt|window)(?:\.[a-z]+)*)\.([a-z_]+)`", text):
        assert f"EDGE_AGENT__{section}__{key}".replace(".", "__").upper() in _SETTINGS, f"{section}.{key}"
    for family in re.findall(r"\bedge_agent_[a-z_]+", text):
        assert f"`{family.removesuffix('_bucket')}`" in _METRICS, family
    for alert in re.findall(r"\bEdgeAgent\w+", text):
        assert (ROOT / "docs" / "runbooks" / f"{alert}.md").is_file(), alert
