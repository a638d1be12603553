"""A commissioning step by step, as a command and a page drive it; time and sound are handed in."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.commissioning.items import Ended, HeardWindow, Item, Level, SourceStatus
from edge_agent.commissioning.run import CommissioningRun, Note, NoteKind, Phase, WrongPhaseError
from edge_agent.commissioning.withhold import Withhold
from edge_agent.detection.budget import AlarmBudget
from edge_agent.detection.commission import Learnt, learn
from edge_agent.detection.features import Recording
from tests.detection import simulated, sounds

START_NS = 1_700_000_000_000_000_000


def teach(recordings: Sequence[Recording]) -> Learnt:
    return learn("m", "t", recordings, sounds.prior(), None, AlarmBudget(), created_ns=1)


def heard(index: int, seed: int | None = None, **changes: object) -> HeardWindow:
    start_s = 10.0 * index
    features = sounds.window(index if seed is None else seed)
    made = HeardWindow(START_NS + int(start_s * 1e9), start_s, 10.0, 1.0, None, features, None)
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of the window, by name


def silent(index: int) -> HeardWindow:
    (dead,) = simulated.heard(np.zeros(160_000, np.float32), "x").windows
    return heard(index, features=dead)


def feed(run: CommissioningRun, items: Sequence[Item]) -> list[Note]:
    return [note for item in items for note in run.take(item)]


def kinds(notes: Sequence[Note]) -> list[str]:
    return [note.kind.value for note in notes]


@pytest.fixture
def run() -> Iterator[CommissioningRun]:
    yield CommissioningRun(teach, wanted_s=600.0)


def test_provisional_after_a_minute_calibrated_after_ten(run: CommissioningRun) -> None:
    assert kinds(feed(run, [heard(k) for k in range(5)])) == []
    assert run.profile is None
    assert kinds(feed(run, [heard(5)])) == ["provisional"]
    assert run.profile is not None and run.profile.provisional and run.phase is Phase.LISTENING
    assert kinds(feed(run, [heard(k) for k in range(6, 60)])) == ["learnt"]
    assert run.phase is Phase.LEARNT and run.profile is not None and not run.profile.provisional
    profile, recordings = run.accept()
    assert (profile.windows, profile.recordings, len(recordings)) == (60, 20, 20)
    assert recordings[0].name == "live 2023-11-14T22:13:20.000000Z"
    assert [window for r in recordings for window in r.starts_s][:4] == [0.0, 10.0, 20.0, 0.0]
    assert run.phase is Phase.ACCEPTED


def test_progress_tells_level_source_and_what_taught_nothing(run: CommissioningRun) -> None:
    notes = feed(run, [SourceStatus("starting", "opening"), SourceStatus("up", ""), SourceStatus("up", "")])
    assert [note.text for note in notes] == ["starting: opening", "up"]
    feed(run, [Level(-30.0, -20.0, 0), heard(0), heard(1, rejected="low_coverage"), silent(2), heard(3)])
    progress = run.progress
    assert (progress.windows, progress.heard_s, progress.wanted_s) == (2, 20.0, 600.0)
    assert progress.left_out == (("dead", 1), ("low coverage", 1))
    assert progress.level == Level(-30.0, -20.0, 0) and progress.source == SourceStatus("up", "")


def test_windows_that_overlap_count_once(run: CommissioningRun) -> None:
    feed(run, [heard(0), heard(0, start_s=5.0), heard(1), heard(1, start_s=15.0)])
    assert (run.progress.windows, run.progress.left_out) == (2, (("overlaps the one before", 2),))


def test_a_source_that_starts_over_is_heard_on(run: CommissioningRun) -> None:
    feed(run, [heard(5), heard(0)])
    assert run.progress.windows == 2


def test_input_problems_are_said_when_they_begin_and_when_they_are_over(run: CommissioningRun) -> None:
    clipped = simulated.heard(np.sign(np.sin(np.arange(160_000) / 9)).astype(np.float32), "x")
    notes = feed(run, [heard(0), silent(1), silent(2), heard(3), heard(4, level=clipped.levels[0]), heard(5)])
    inputs = [note for note in notes if note.kind in (NoteKind.INPUT_PROBLEM, NoteKind.INPUT_SOUND)]
    assert kinds(inputs) == ["input_problem", "input_sound", "input_problem", "input_sound"]
    assert "silence" in inputs[0].text and "clipped" in inputs[2].text
    assert run.progress.problem == ""


def test_what_cannot_be_learnt_is_refused_and_can_be_gone_on_with() -> None:
    run = CommissioningRun(teach, wanted_s=60.0)
    two_machines = [heard(k, features=sounds.window(k, machine=k % 2)) for k in range(6)]
    notes = feed(run, two_machines)
    assert kinds(notes) == ["refused"] and "more than 1 group" in notes[0].text
    assert run.phase is Phase.REFUSED and run.profile is None and run.refusal == notes[0].text
    with pytest.raises(WrongPhaseError, match="refused"):
        run.accept()
    run.go_on(60.0)
    assert run.phase is Phase.LISTENING and run.progress.wanted_s == 120.0


def test_a_source_that_ends_early_leaves_what_there_is() -> None:
    run = CommissioningRun(teach, wanted_s=600.0, state="load")
    feed(run, [heard(k) for k in range(4)])
    assert kinds(feed(run, [Ended("the source ended")])) == ["learnt"]
    profile, recordings = run.accept()
    assert profile.provisional and profile.states[0].name == "load" == recordings[0].state


@pytest.mark.parametrize("count", [0, 2])
def test_too_little_is_refused_with_what_became_of_the_rest(count: int) -> None:
    run = CommissioningRun(teach, wanted_s=600.0)
    feed(run, [*[heard(k) for k in range(count)], silent(8), silent(9)])
    (note,) = run.conclude()
    assert (note.kind, note.text) == (NoteKind.REFUSED, f"only {count} windows with sound were heard (others: 2 dead)")


def test_an_input_that_stays_dead_is_not_waited_for() -> None:
    run = CommissioningRun(teach, wanted_s=600.0)
    assert kinds(feed(run, [silent(k) for k in range(6)])) == ["input_problem", "refused"]
    assert run.refusal == "only 0 windows with sound were heard (others: 6 dead)"
    run = CommissioningRun(teach, wanted_s=600.0)
    feed(run, [heard(0), *[heard(k, rejected="low_coverage") for k in range(1, 6)], heard(6)])
    assert run.phase is Phase.LISTENING


def test_a_discarded_run_keeps_nothing_and_takes_nothing(run: CommissioningRun) -> None:
    feed(run, [heard(k) for k in range(7)])
    run.discard()
    assert run.phase is Phase.DISCARDED and run.profile is None and run.recordings == ()
    assert feed(run, [heard(8)]) == [] and run.progress.windows == 0
    with pytest.raises(WrongPhaseError):
        run.conclude()


def test_windows_that_are_withheld_teach_and_are_not_kept() -> None:
    spoken = [heard(k) for k in (0, 1, 2, 7)]  # all of the first half minute, and one of the third
    rule = Withhold(lambda frames: any(frames is each.features.log_mel_db for each in spoken), "as somebody speaks")
    run = CommissioningRun(teach, wanted_s=180.0, withhold=rule)
    windows = [next((each for each in spoken if each.start_s == 10.0 * k), heard(k)) for k in range(18)]
    feed(run, windows)
    assert run.withheld.startswith("not kept: 4 of 18 windows, as somebody speaks; ")
    profile, recordings = run.accept()
    assert profile.windows == 18
    kept = [window for recording in recordings for window in recording.windows]
    assert len(kept) == 14 and len(recordings) == 5
    assert not [window for window in kept for each in spoken if window is each.features]
    assert [recording.starts_s for recording in recordings][1] == (0.0, 20.0)


def test_a_session_all_of_which_is_withheld_keeps_nothing() -> None:
    run = CommissioningRun(teach, wanted_s=60.0, withhold=Withhold(lambda _: True, "as nothing may be"))
    feed(run, [heard(k) for k in range(6)])
    assert "6 of 6 windows" in run.withheld and "nothing can be added later" in run.withheld
    profile, recordings = run.accept()
    assert (profile.windows, recordings) == (6, ())
