"""Adding normals to a profile, looking back and going back, as an operator does."""

import io
import shutil
from pathlib import Path

import pytest

from edge_agent.agent.profiles import ProfileStore
from tests.support.agent import BUNDLE, Shell, machine_sound, tree, write_sound


@pytest.fixture
def state(commissioned: Path, tmp_path: Path) -> Path:
    """A copy of the state directory in which `press` is commissioned."""
    return Path(shutil.copytree(commissioned, tmp_path / "state"))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Three recordings that whine, which the operator knows to be normal."""
    for seed in range(20, 23):
        write_sound(tmp_path / "odd" / f"{seed}.wav", machine_sound(10.0, seed=seed, whine=0.02))
    return tmp_path / "odd"


def test_added_normals_are_shown_kept_and_known_from_then_on(shell: Shell, state: Path, odd: Path) -> None:
    where = ("--bundle", BUNDLE, "--state-dir", state)
    before = shell("replay", "--machine", "press", "--json", odd, *where).scores
    done = shell("profiles", "add", "press", "--from", odd, "--yes", *where)
    assert done.status == 0, done.err
    assert "recordings             12" in done.out and "15" in done.out
    assert "3 of 3 new windows lie above the threshold now" in done.out
    assert "20.wav" in done.out and " above" in done.out
    after = shell("replay", "--machine", "press", "--json", odd, *where).scores
    assert max(after) < min(before)
    again = shell("profiles", "add", "press", "--from", odd, "--yes", *where)
    assert (again.status, "a copy of" in again.err) == (1, True)


def test_nothing_is_added_without_a_word(shell: Shell, state: Path, odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(state)
    words = ("profiles", "add", "press", "--from", odd, "--bundle", BUNDLE, "--state-dir", state)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    nobody = shell(*words)
    assert (nobody.status, "nobody can be asked here" in nobody.err) == (1, True)
    for answer in ("n\n", "\n", ""):
        terminal = io.StringIO(answer)
        terminal.isatty = lambda: True  # type: ignore[method-assign]  # a terminal, as far as the command can tell
        monkeypatch.setattr("sys.stdin", terminal)
        refused = shell(*words)
        assert (refused.status, "nothing was changed" in refused.err) == (1, True)
        assert "3 of 3 new windows" in refused.out
    assert tree(state) == before


def test_history_and_going_back(shell: Shell, state: Path, odd: Path) -> None:
    first = tree(state)["profiles/press.npz"]
    where = ("--state-dir", state)
    assert shell("profiles", "revert", "press", *where).status == 1
    shell("profiles", "add", "press", "--from", odd, "--yes", "--bundle", BUNDLE, *where)
    lines = shell("profiles", "history", "press", *where).out.splitlines()
    assert [line.split()[0] for line in lines] == ["in", "1"]
    assert "15 clips" in lines[0] and "12 clips" in lines[1]
    assert shell("profiles", "revert", "press", *where).status == 0
    assert tree(state)["profiles/press.npz"] == first
    assert len(shell("profiles", "history", "press", *where).out.splitlines()) == 3
    unknown = shell("profiles", "revert", "press", "--to", "9", *where)
    assert (unknown.status, "known: 2, 1" in unknown.err) == (1, True)
    assert shell("profiles", "revert", "press", "--to", "2", *where).status == 0
    assert "15 clips" in shell("profiles", "list", *where).out


def test_show_and_list_tell_where_a_profile_comes_from(shell: Shell, state: Path) -> None:
    shown = shell("profiles", "show", "press", "--state-dir", state).out
    assert "bundle default" in shown and "normals kept" in shown and "00.wav" in shown
    (line,) = shell("profiles", "list", "--state-dir", state).out.splitlines()
    for word in ("press", "provisional", "12 clips", "threshold", "false alarms per week", "default"):
        assert word in line


def test_normals_of_another_encoder_are_refused(shell: Shell, state: Path, odd: Path, tmp_path: Path) -> None:
    store = ProfileStore(state)
    (normals,) = store.normals(store.load("press"))
    other = type(normals)(type(normals.source)(normals.source.signal_hash, "f" * 64), normals.recordings)
    profile = store.load("press")
    store.save(type(profile)(**{f: getattr(profile, f) for f in profile.__dataclass_fields__} | {"normals": ()}), other)
    done = shell("profiles", "add", "press", "--from", odd, "--yes", "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, "another encoder" in done.err) == (1, True)


def test_damaged_normals_are_refused(shell: Shell, state: Path, odd: Path) -> None:
    (path,) = (state / "profiles" / "normals" / "press").glob("*.npz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = shell("profiles", "add", "press", "--from", odd, "--yes", "--bundle", BUNDLE, "--state-dir", state)
    assert (done.status, "damaged or changed" in done.err) == (1, True)


def test_removing_forgets_the_kept_sound_too(shell: Shell, state: Path, odd: Path) -> None:
    shell("profiles", "add", "press", "--from", odd, "--yes", "--bundle", BUNDLE, "--state-dir", state)
    assert shell("profiles", "remove", "press", "--state-dir", state).status == 0
    assert tree(state) == {}
