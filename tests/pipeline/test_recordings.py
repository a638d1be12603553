"""Real machines: routed by sound, swapped microphones found, faults taken for no other machine."""

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from edge_agent.agent.hearing.offline import OfflineAnalyser
from edge_agent.capture.clock import NS_PER_S
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.features import Recording
from edge_agent.detection.verdict import HealthCode
from edge_agent.inference.bundle import load_bundle
from edge_agent.pipeline.listener import MachineState
from edge_agent.pipeline.priors import type_prior
from edge_agent.pipeline.roster import Roster
from edge_agent.pipeline.window import AnalysedWindow, WindowShape
from tests.support.agent import BUNDLE, RECORDINGS, needs_recordings

pytestmark = [pytest.mark.data, needs_recordings]

MACHINES = {"holybro_x500": 20, "lathe_1": 12, "tacoma": 16, "dcase2020_id_00": 20}
"""Of four types, with how many clips each is commissioned on."""


@dataclass(frozen=True)
class Floor:
    """A shop floor: its roster, and windows that nobody has heard, by machine and condition."""

    roster: Callable[[], Roster]
    windows: dict[tuple[str, str], list[AnalysedWindow]]


@pytest.fixture(scope="module")
def floor() -> Floor:
    bundle = load_bundle(BUNDLE)
    analyser = OfflineAnalyser(bundle, WindowShape())
    rows: defaultdict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    with (RECORDINGS / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["machine_id"] in MACHINES:
                rows[row["machine_id"], row["condition"]].append(row)
            elif row["machine_type"] == "background":
                rows["background", "background"].append(row)

    def windows(chosen: list[dict[str, str]]) -> list[AnalysedWindow]:
        return [
            item.window
            for row in chosen
            for item in analyser.recording(RECORDINGS / row["file"])
            if item.rejected is None
        ]

    profiles, heard = {}, {}
    for machine, count in MACHINES.items():
        normal = sorted(rows[machine, "normal"], key=lambda row: (row["group"], row["file"]))
        learnt = normal[:count]
        seen = {row["group"] for row in learnt}
        rest = [row for row in normal[count:] if row["group"] not in seen] or normal[count + 1 :]
        heard[machine, "normal"] = windows(rest[:20])
        heard[machine, "anomaly"] = windows(rows[machine, "anomaly"][:30])
        recordings = []
        for row in learnt:
            own = windows([row])
            recordings.append(Recording(row["file"], tuple(w.features for w in own), tuple(w.level for w in own)))
        prior, kind = type_prior(bundle, "generic"), learnt[0]["machine_type"]
        profiles[machine] = commission(machine, kind, recordings, prior, bundle.ref, AlarmBudget(), created_ns=0)
    heard["background", "background"] = windows(rows["background", "background"][::20])
    return Floor(lambda: Roster(bundle, profiles), heard)


def _hear(roster: Roster, listens_as: str, windows: list[AnalysedWindow]) -> list[tuple[str, bool, bool]]:
    """For each window the machine it was given to, whether a mismatch was found, and whether that blocked it."""
    listener = roster.router() if listens_as == "auto" else roster.listener(listens_as)
    found = []
    for k, window in enumerate(windows):
        heard = listener.hear(window, k * 10 * NS_PER_S)
        health = () if heard.verdict is None else heard.verdict.health
        mismatch = any(finding.code is HealthCode.IDENTITY_MISMATCH for finding in health)
        found.append((heard.machine_id, mismatch, heard.state is MachineState.INPUT_FAULT))
    return found


@pytest.mark.parametrize(("machine", "least"), [("holybro_x500", 0.9), ("lathe_1", 0.9), ("tacoma", 0.9)])
def test_a_channel_is_routed_to_the_machine_that_it_hears(floor: Floor, machine: str, least: float) -> None:
    given = [name for name, _, _ in _hear(floor.roster(), "auto", floor.windows[machine, "normal"])]
    assert given.count(machine) / len(given) >= least
    assert set(given) <= {machine, "unknown"}


def test_background_is_no_machine(floor: Floor) -> None:
    given = [name for name, _, _ in _hear(floor.roster(), "auto", floor.windows["background", "background"])]
    assert given.count("unknown") / len(given) >= 0.85


@pytest.mark.parametrize(
    ("machine", "condition"),
    [
        *((machine, "normal") for machine in MACHINES),
        ("holybro_x500", "anomaly"),
        ("lathe_1", "anomaly"),
    ],
)
def test_neither_normal_sound_nor_a_fault_is_a_moved_microphone(floor: Floor, machine: str, condition: str) -> None:
    windows = floor.windows[machine, condition]
    assert len(windows) >= 10
    assert not any(mismatch for _, mismatch, _ in _hear(floor.roster(), machine, windows))


@pytest.mark.parametrize(("one", "other"), [("holybro_x500", "lathe_1"), ("lathe_1", "tacoma"), ("tacoma", "lathe_1")])
def test_a_swapped_microphone_is_found_within_five_windows(floor: Floor, one: str, other: str) -> None:
    """The channel of one machine hears itself, then the other, then itself again."""
    itself, foreign = floor.windows[one, "normal"][:8], floor.windows[other, "normal"][:8]
    roster = floor.roster()
    assert not any(mismatch for _, mismatch, _ in _hear(roster, one, itself))
    found = _hear(roster, one, foreign)
    assert [mismatch for _, mismatch, _ in found][4:] == [True] * 4
    assert all(blocked for _, _, blocked in found[4:])
    assert not _hear(roster, one, itself)[-1][1]
