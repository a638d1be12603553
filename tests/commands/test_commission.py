"""Commissioning and profiles from the command line."""

from pathlib import Path

import pytest

from tests.support.agent import BUNDLE, Shell, machine_sound, tree, write_sound


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for seed in range(3):
        write_sound(tmp_path / "normal" / f"{seed}.wav", machine_sound(10.0, seed=seed))
    return tmp_path / "normal"


def test_three_clips_are_enough_and_said_to_be_provisional(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = shell("commission", "--machine", "m", "--from", sounds, "--bundle", BUNDLE, "--state-dir", state)
    assert done.status == 0
    assert "learnt from 3 windows of 3 recordings, provisional" in done.out
    assert "expected false alarms per week" in done.out
    profile, normals = tree(state)
    assert profile == "profiles/m.npz" and normals.startswith("profiles/normals/m/")


def test_nothing_but_the_profile_is_kept_where_that_is_wanted(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    words = ("--machine", "m", "--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    assert shell("commission", "--from", sounds, *words, "--no-keep-normals").status == 0
    assert list(tree(tmp_path / "state")) == ["profiles/m.npz"]
    refused = shell("profiles", "add", "m", "--from", sounds, "--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    assert (refused.status, "without keeping its normals" in refused.err) == (1, True)


def test_two_clips_are_not(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    (sounds / "2.wav").unlink()
    state = tmp_path / "state"
    done = shell("commission", "--machine", "m", "--from", sounds, "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, done.out) == (1, "")
    assert not state.exists()


def test_a_second_commissioning_takes_the_place_of_the_first(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    words = ("--machine", "m", "--bundle", BUNDLE, "--state-dir", state)
    assert shell("commission", "--from", sounds, *words).status == 0
    first = tree(state)["profiles/m.npz"]
    write_sound(sounds / "3.wav", machine_sound(10.0, seed=3))
    assert shell("commission", "--from", sounds, *words).status == 0
    assert tree(state)["profiles/m.npz"] != first == tree(state)["profiles/history/m/1.npz"]


def test_profiles_are_listed_shown_and_removed(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path / "state")
    assert "no profile in" in shell("profiles", "list", *state).err
    shell("commission", "--machine", "m", "--from", sounds, "--bundle", BUNDLE, *state)
    assert shell("profiles", "list", *state).out.startswith("m  generic  provisional  20")
    assert "machine m: learnt from 3 windows" in shell("profiles", "show", "m", *state).out
    assert shell("profiles", "remove", "m", *state).status == 0
    assert shell("profiles", "list", *state).out == ""
    missing = shell("profiles", "show", "m", *state)
    assert missing.status == 1
    assert "machine 'm' has no profile" in missing.err


@pytest.mark.parametrize(
    "words",
    [["--false-alarms-per-week", "0"], ["--false-alarms-per-week", "nan"], ["--states", "0"], ["--from"]],
    ids=" ".join,
)
def test_usage(shell: Shell, sounds: Path, words: list[str]) -> None:
    done = shell("commission", "--machine", "m", "--from", sounds, *words)
    assert done.status == 2
    assert ": error: " in done.err


@pytest.mark.parametrize("machine", ["", ".x", "a/b", "a" * 65, "a\nb"])
def test_a_bad_id_is_refused_before_the_work(shell: Shell, sounds: Path, tmp_path: Path, machine: str) -> None:
    state = tmp_path / "state"
    done = shell("commission", "--machine", machine, "--from", sounds, "--bundle", BUNDLE, "--state-dir", state)
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line.startswith("edge-agent: machine id ")
    assert not state.exists()


def test_states_are_named_part_by_part(shell: Shell, sounds: Path, tmp_path: Path) -> None:
    for seed in range(3):
        write_sound(tmp_path / "fast" / f"{seed}.wav", machine_sound(10.0, seed=seed, whine=0.05))
    words = ("commission", "--machine", "m", "--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    done = shell(*words, "--state", "slow", "--from", sounds, "--state", "fast", "--from", tmp_path / "fast")
    assert done.status == 0
    said = "slow (3 windows, calibrated with the others), fast (3 windows, calibrated with the others)"
    assert f"operating states: {said}" in done.out
    refused = shell(*words, "--state", "a/b", "--from", sounds)
    assert (refused.status, "argument --state: 'a/b'" in refused.err) == (2, True)


def test_a_type_that_the_bundle_lacks_falls_back_to_the_generic_one_and_says_so(
    shell: Shell, sounds: Path, tmp_path: Path
) -> None:
    state = ("--bundle", BUNDLE, "--state-dir", tmp_path / "state")
    done = shell("commission", "--machine", "m", "--type", "centrifuge", "--from", sounds, *state)
    assert done.status == 0
    assert "the bundle knows no type 'centrifuge': using 'generic'" in done.err
    assert "type centrifuge, prior generic" in done.out
    events = shell("replay", "--machine", "m", "--json", sounds / "0.wav", *state).events
    assert [event["data"]["prior"] for event in events] == ["generic"]
