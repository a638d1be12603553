"""The dashboards are what their code makes, and what Grafana's own models read."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.observe import labels
from edge_agent.observe.health import State
from tests.support.agent import ROOT

pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed (extra dev)")
from grafana_foundation_sdk.models.dashboard import Dashboard  # after the check that it is there

from deploy.grafana.build import DIRECTORY, dashboards, plain  # the same
from deploy.grafana.preview import mark
from deploy.grafana.states import ALARM_STATES, PROFILES, SOURCE_STATES

FILES = sorted(DIRECTORY.glob("*.json"))


def _load(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_the_files_are_what_the_code_makes() -> None:
    made = dashboards()
    assert {path.stem for path in FILES} == set(made)
    assert {path.stem: path.read_text(encoding="utf-8") for path in FILES} == made


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_picture_in_the_docs_is_of_this_dashboard(path: Path) -> None:
    picture = (ROOT / "docs" / "dashboards" / f"{path.stem}.svg").read_text(encoding="utf-8")
    assert mark(_load(path)) in picture, "draw it anew: see tests/end_to_end/test_observability.py"


def test_every_state_of_an_alarm_has_a_colour() -> None:
    assert {name for name, _ in ALARM_STATES} == set(labels.ALARM_STATES)
    assert [name for name, _ in PROFILES] == list(labels.PROFILES)
    assert {name for name, _ in SOURCE_STATES} == {state.value for state in State}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafanas_models_read_all_of_it(path: Path) -> None:
    there = _load(path)
    assert plain(Dashboard.from_json(there)) == there


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_are_explained_lie_side_by_side_and_name_their_queries(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _load(path)["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            refs = [target["refId"] for target in panel["targets"]]
            assert len(set(refs)) == len(refs) > 0
            assert all(refs)


def test_identifiers_are_unique_and_provisioning_reads_the_folder() -> None:
    assert len({_load(path)["uid"] for path in FILES}) == len(FILES)
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    provider = yaml.safe_load((provisioning / "dashboards" / "edge-agent.yaml").read_text(encoding="utf-8"))
    assert provider["providers"][0]["type"] == "file"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text(encoding="utf-8"))
    assert source["datasources"][0]["type"] == "prometheus"
