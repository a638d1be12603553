"""Operating states: named, found, and never found where there is but one."""

import collections
import csv

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import STATE_TAIL_RECORDINGS, commission
from edge_agent.detection.errors import CommissioningError, DetectionError
from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.detection.profile import Profile
from edge_agent.detection.scorer import MachineScorer
from edge_agent.detection.states import alike, coarse_shapes, states_of
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineState, MachineType
from tests.detection import simulated, sounds
from tests.support.agent import RECORDINGS, needs_recordings

IDLE, RUNNING = MachineState.IDLE, MachineState.RUNNING
TYPES = [kind.value for kind in MachineType]


def learn(recordings: list[Recording], max_states: int = 1) -> Profile:
    return commission(
        "m", "t", recordings, sounds.prior(shape=1.0), None, AlarmBudget(), created_ns=1, max_states=max_states
    )


def numbers_of(recordings: list[Recording], max_states: int) -> list[int]:
    windows = [window for recording in recordings for window in recording.windows]
    owners = np.repeat(np.arange(len(recordings)), [len(recording.windows) for recording in recordings])
    return states_of(windows, owners, recordings, max_states).numbers.tolist()


@pytest.mark.parametrize("kind", TYPES)
def test_idling_and_working_are_found(kind: str) -> None:
    idle, running = (simulated.clips(MachineType(kind), state=state, count=8) for state in (IDLE, RUNNING))
    assert numbers_of([*idle, *running], 4) == [0] * 8 + [1] * 8


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("count", [6, 12, 24])
def test_one_state_is_not_split(kind: str, count: int) -> None:
    assert set(numbers_of(simulated.clips(MachineType(kind), 2, count=count), 8)) == {0}


def test_states_of_a_compressor_are_learnt_and_named_in_the_verdict() -> None:
    parts = [simulated.clips(MachineType.COMPRESSOR, state=state, count=12) for state in (IDLE, RUNNING)]
    profile = learn([*parts[0], *parts[1]], max_states=2)
    assert [(state.name, state.windows) for state in profile.states] == [("state_1", 12), ("state_2", 12)]
    scorer = MachineScorer(profile, sounds.prior(shape=1.0))
    for state, name in ((IDLE, "state_1"), (RUNNING, "state_2")):
        for fresh in simulated.clips(MachineType.COMPRESSOR, state=state, count=3, seed=9):
            verdict = scorer.score(fresh.windows[0], fresh.levels[0])
            assert (verdict.operating_state, verdict.is_anomalous) == (name, False)


def test_a_state_heard_often_enough_has_a_calibration_of_its_own() -> None:
    often = simulated.clips(MachineType.COMPRESSOR, state=RUNNING, count=STATE_TAIL_RECORDINGS, state_name="load")
    seldom = simulated.clips(MachineType.COMPRESSOR, state=IDLE, count=4, state_name="idle")
    profile = learn([*often, *seldom])
    load, idle = profile.states
    assert (load.name, idle.name) == ("load", "idle")
    assert load.tail is not None and 3 < load.tail.recordings < STATE_TAIL_RECORDINGS
    assert idle.tail is None
    restored = Profile.from_bytes(profile.to_bytes(), name="p")
    assert restored.states == profile.states


def test_one_nameless_state_has_no_name() -> None:
    profile = learn(simulated.clips(MachineType.FAN, count=6))
    assert [state.name for state in profile.states] == [None]
    scorer = MachineScorer(profile, sounds.prior(shape=1.0))
    assert scorer.score(simulated.clips(MachineType.FAN, count=1)[0].windows[0]).operating_state is None


def test_two_states_are_refused_where_none_was_announced() -> None:
    two = [r for n in (1, 2) for r in simulated.clips(MachineType.GEARBOX, n, count=6)]
    with pytest.raises(CommissioningError, match=r"more than 1 group .* dB apart.*two machines"):
        learn(two)


def named(kind: MachineType, state: MachineState, name: str | None, count: int, individual: int = 1) -> list[Recording]:
    return simulated.clips(kind, individual, state, count=count, state_name=name)


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (lambda: named(MachineType.FAN, RUNNING, "run", 5) + named(MachineType.FAN, IDLE, "idle", 2),
         "state 'idle' has 2 usable windows, it needs 3"),
        (lambda: named(MachineType.FAN, RUNNING, "run", 5) + named(MachineType.FAN, IDLE, None, 5),
         "name the state of all, or of none"),
        (lambda: named(MachineType.GEARBOX, RUNNING, "run", 5) + named(MachineType.GEARBOX, RUNNING, "run", 5, 2),
         "state 'run' falls into two groups"),
        (lambda: [r for k in range(17) for r in named(MachineType.FAN, RUNNING, f"s{k}", 1, individual=k)],
         "17 operating states are named; at most 16"),
    ],
    ids=["too few windows", "one without a name", "two machines in one state", "too many"],
)  # fmt: skip
def test_named_states_that_are_refused(recordings: object, message: str) -> None:
    with pytest.raises(CommissioningError, match=message):
        learn(recordings())  # type: ignore[operator]  # the table's recordings are made when they are needed


def test_states_that_sound_alike_are_said_to() -> None:
    running = simulated.clips(MachineType.FAN, count=12)
    coarse = coarse_shapes([recording.windows[0] for recording in running])
    halves = np.arange(12) % 2
    assert alike(coarse, halves, 0, 1)
    both = named(MachineType.FAN, RUNNING, "fast", 6) + simulated.clips(
        MachineType.FAN, count=6, seed=5, state_name="slow"
    )
    assert any("fast and slow sound alike" in warning for warning in learn(both).warnings)


def test_names_are_no_paths() -> None:
    with pytest.raises(DetectionError, match=r"operating state '\.\./x'"):
        simulated.clips(MachineType.FAN, count=1, state_name="../x")


def _clips_of(machine_id: str) -> list[tuple[str, NDArray[np.float32]]]:
    with (RECORDINGS / "manifest.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["machine_id"] == machine_id and r["condition"] != "anomaly"]
    found = []
    for row in rows:
        samples, _ = soundfile.read(RECORDINGS / row["file"], dtype="float32")
        found.append((row["condition"], log_mel_db(samples)))
    return found


def _recordings(clips: list[tuple[str, NDArray[np.float32]]]) -> list[Recording]:
    empty = simulated.NOTHING
    return [Recording(f"{k}", (WindowFeatures(mel, empty, empty),), (None,)) for k, (_, mel) in enumerate(clips)]


@needs_recordings
@pytest.mark.parametrize("machine_id", ["holybro_x500", "lathe_1", "wenatchee", "dcase2020_id_00", "bebop"])
def test_real_machines_of_one_state_are_not_split(machine_id: str) -> None:
    assert set(numbers_of(_recordings(_clips_of(machine_id)), 8)) == {0}


@needs_recordings
def test_states_of_a_real_compressor_are_found() -> None:
    clips = _clips_of("compressor_1")
    found = numbers_of(_recordings(clips), 3)
    pairs = collections.Counter(zip((condition for condition, _ in clips), found, strict=True))
    off, rest = (max(range(3), key=lambda k: pairs[condition, k]) for condition in ("state_off", "state_rest"))
    assert off != rest
    assert (pairs["state_off", off], pairs["state_rest", rest]) == (40, 60)
    third = ({0, 1, 2} - {off, rest}).pop()
    assert pairs["state_run", third] == 20 and pairs["state_run", rest] == 9  # nine clips of it sound like resting
