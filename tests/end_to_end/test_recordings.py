"""Real machines: commissioned from normal recordings, faults are told from the other normal ones."""

import csv
import json
import random
import runpy
from collections import defaultdict
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edge_agent.delivery.schema import SCHEMA_DIRECTORY
from tests.support.agent import BUNDLE, RECORDINGS, ROOT, Shell, needs_recordings

pytestmark = [pytest.mark.data, needs_recordings]

SCHEMA = Draft202012Validator(json.loads((SCHEMA_DIRECTORY / "result.json").read_text(encoding="utf-8")))
TOOL = runpy.run_path(str(ROOT / "tools" / "auc.py"))


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capfd)


def _split(machine_type: str, learn: int) -> tuple[list[Path], list[Path]]:
    """Normal clips to learn from and all others; where there are groups enough, none is on both sides."""
    with (RECORDINGS / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["machine_type"] == machine_type]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["condition"] == "normal":
            groups[row["group"]].append(row["file"])
    names = sorted(groups)
    random.Random(0).shuffle(names)  # in order of names one kind of flight would be learnt and another one judged
    known: list[str] = []
    seen: set[str] = set()
    for name in names:
        if len(known) < learn:
            known += groups[name][: learn - len(known)]
            seen.add(name)
    whole = len(groups) > 1  # one recording alone is cut in two
    rest = [row["file"] for row in rows if row["file"] not in known and not (whole and row["group"] in seen)]
    return [RECORDINGS / file for file in known], [RECORDINGS / file for file in rest]


@pytest.mark.parametrize(
    ("machine_type", "learn", "normal", "anomalous"),
    [("uav_quadrotor", 60, 70, 60), ("metal_lathe", 12, 12, 18)],
    ids=["quadrotor", "lathe"],
)
def test_faults_are_told_from_normal_sound(
    shell: Shell, tmp_path: Path, machine_type: str, *, learn: int, normal: int, anomalous: int
) -> None:
    known, rest = _split(machine_type, learn)
    assert len(known) == learn
    state = ("--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    assert shell("commission", "--machine", "m", "--type", machine_type, "--from", *known, *state).status == 0
    done = shell("replay", "--json", "--machine", "m", *rest, *state)
    assert done.status == 0
    for event in done.events:
        SCHEMA.validate(event)
    labels = TOOL["CsvLabels"](RECORDINGS / "manifest.csv")
    scores: dict[bool, list[float]] = {False: [], True: []}
    for recording, score in TOOL["mean_scores"](done.out.splitlines()).items():
        scores[labels.anomalous(recording)].append(score)
    assert len(scores[False]) >= normal
    assert len(scores[True]) == anomalous
    assert TOOL["auc"](scores[False], scores[True]) >= 0.99
    raised = [event for event in done.events if event["data"]["state"] == "suspect"]
    false = sum(not labels.anomalous(TOOL["Recording"](event["data"]["file"], None)) for event in raised)
    assert false <= 0.1 * len(scores[False])
    assert len(raised) - false >= 0.9 * anomalous
