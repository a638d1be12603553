"""Who listens to a window, and what it makes of it."""

from pathlib import Path

import numpy as np
import pytest

from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import commission
from edge_agent.detection.errors import DetectionError
from edge_agent.detection.faults import FaultPrototypes
from edge_agent.detection.prior import TypePrior
from edge_agent.detection.profile import Profile
from edge_agent.pipeline.identity import Identifier, IdentityCalibration
from edge_agent.pipeline.listener import MachineListener, MachineState
from edge_agent.pipeline.match import Matcher
from edge_agent.pipeline.window import AnalysedWindow
from tests.detection import sounds

LABELS = ("fan_1", "fan_2", "fan_3")
IDENTIFIER = Identifier(LABELS, IdentityCalibration())
PRIOR = sounds.prior()


@pytest.fixture(scope="module")
def profile() -> Profile:
    return commission(
        "fan_1", "fan", [sounds.recording(seed, windows=2) for seed in range(10)], PRIOR,
        bundle=None, budget=AlarmBudget(raise_after=2, raise_within=3, clear_after=2, background_margin=False),
        created_ns=0,
    )  # fmt: skip


def _window(seed: int, *, change_db: float = 0.0, says: str | None = "fan_1") -> AnalysedWindow:
    features = sounds.window(seed, change_db=np.linspace(-change_db, change_db, 128))
    if says is not None:
        features.logits[:, LABELS.index(says)] = 9.0
    return AnalysedWindow(0, 0, 160_000, 160_000, 0.0, 10.0, 1.0, features, None)


def _states(listener: MachineListener, changes_db: list[float]) -> list[str]:
    return [
        listener.hear(_window(10_000 + index, change_db=change), index * 10**10).state.value
        for index, change in enumerate(changes_db)
    ]


def test_without_a_profile_a_machine_is_named_and_not_judged() -> None:
    heard = MachineListener("fan_1", IDENTIFIER, None, lambda name: PRIOR).hear(_window(1), 0)
    assert (heard.state, heard.verdict, heard.alarm) == (MachineState.UNCOMMISSIONED, None, None)
    assert heard.identity is not None
    assert heard.identity.label == "fan_1"


def test_a_window_is_suspect_before_the_alarm_and_normal_only_after_it(profile: Profile) -> None:
    listener = MachineListener("fan_1", IDENTIFIER, profile, lambda name: PRIOR)
    assert _states(listener, [0.0, 30.0, 30.0, 0.0, 0.0]) == ["normal", "suspect", "alarm", "alarm", "normal"]


def test_many_windows_at_once_are_heard_as_one_after_the_other(profile: Profile) -> None:
    """Windows of all lengths, as gaps leave them, normal ones and alarms."""
    changes_db = [0.0, 30.0, 30.0, 0.0, 30.0, 0.0, 0.0, 0.0, 25.0, 0.0]
    frames = [311, 311, 250, 311, 70, 40, 311, 9, 311, 311]

    def windows() -> list[AnalysedWindow]:
        made = []
        for index, (change_db, count) in enumerate(zip(changes_db, frames, strict=True)):
            features = sounds.window(500 + index, change_db=np.linspace(-change_db, change_db, 128), frames=count)
            features.logits[:, index % len(LABELS)] = 9.0
            made.append(AnalysedWindow(index, 0, 160_000, 160_000, 0.0, 10.0, 1.0, features, None))
        return made

    matcher = Matcher({"fan_1": profile.likeness} if profile.likeness is not None else {})
    one, many = (MachineListener("fan_1", IDENTIFIER, profile, lambda name: PRIOR, matcher=matcher) for _ in range(2))
    alone = [one.hear(window, index * 10**10) for index, window in enumerate(windows())]
    opinions = many.consider(windows())
    together = [many.conclude(opinion, index * 10**10) for index, opinion in enumerate(opinions)]
    assert together == alone
    assert {heard.state.value for heard in alone} == {"normal", "suspect", "alarm"}
    assert {heard.match is None for heard in alone} == {True, False}  # the shorter ones hold no whole patch


def test_another_recording_begins_its_counting_anew(profile: Profile) -> None:
    listener = MachineListener("fan_1", IDENTIFIER, profile, lambda name: PRIOR)
    assert _states(listener, [30.0]) == ["suspect"]
    listener.forget()
    assert _states(listener, [30.0]) == ["suspect"]


def test_a_new_listener_takes_over_an_open_alarm(profile: Profile) -> None:
    former = MachineListener("fan_1", IDENTIFIER, profile, lambda name: PRIOR)
    assert _states(former, [30.0, 30.0])[-1] == "alarm"
    later = MachineListener("fan_1", IDENTIFIER, profile.with_budget(AlarmBudget()), lambda name: PRIOR)
    later.take_over(former)
    assert later.hear(_window(5), 10**11).state is MachineState.ALARM


def test_a_profile_of_another_prior_is_refused(profile: Profile, tmp_path: Path) -> None:
    other: TypePrior = sounds.prior(shape=1.0)
    with pytest.raises(DetectionError, match="another version of type"):
        MachineListener("fan_1", IDENTIFIER, profile, lambda name: other)


def test_only_an_anomalous_window_is_given_a_kind_of_fault(profile: Profile) -> None:
    size = sounds.window(1).embeddings.shape[1]
    faults = FaultPrototypes(
        labels=("bearing",), origin=np.zeros(size, np.float32), centres=np.eye(1, size, dtype=np.float32),
        limits=np.array([2.0], np.float32), temperature=0.1,
    )  # fmt: skip
    listener = MachineListener("fan_1", IDENTIFIER, profile, lambda name: PRIOR, faults=faults)
    assert listener.hear(_window(10_000), 0).fault is None
    guess = listener.hear(_window(10_001, change_db=30.0), 10**10).fault
    assert guess is not None and guess.label == "bearing"
