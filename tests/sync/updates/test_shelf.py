"""What is in use, whatever happens: killed at every step, damaged, never well, left."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.agent.profiles import ProfileStore
from edge_agent.config.model import ModelSection
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.errors import BundleError
from edge_agent.inference.in_use import BASE_SET, Declined, Slot, bundle_dir, profiles_dir, read_in_use
from edge_agent.sync.updates.boot import Begun, begin
from edge_agent.sync.updates.shelf import MAX_BOOTS, STEPS, Shelf
from tests.support.variants import SHIPPED, archive_of, variant

CHILD = Path(__file__).with_name("swap_child.py")
ROLLOUT = "01J00000000000000000000000"
SET = f"{'0' * 16}-1"


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return variant(tmp_path_factory.mktemp("new") / "bundle", "7.0.0")


@pytest.fixture(scope="module")
def archive(new: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "new.tar"
    path.write_bytes(archive_of(new))
    return path


@pytest.fixture
def old() -> Bundle:
    return load_bundle(SHIPPED, probe=False, self_test=False)


def start(state: Path) -> Bundle:
    """As the agent starts."""
    return begun(state).bundle


def begun(state: Path) -> Begun:
    return begin(state, "default", lambda: load_bundle(SHIPPED), lambda bundle: None)


def take_over(state: Path, archive: Path, new: Bundle, *step: str) -> int:
    words = [str(state), str(archive), str(SHIPPED), new.ref.model_dump_json(), *step]
    return subprocess.run([sys.executable, str(CHILD), *words], timeout=240, check=False).returncode


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_a_verified_bundle_runs(
    step: str, tmp_path: Path, archive: Path, new: Bundle, old: Bundle
) -> None:
    state = tmp_path / "state"
    assert take_over(state, archive, new, step) == -signal.SIGKILL
    found = start(state)
    assert found.ref == (new.ref if step in ("switched", "tidied") else old.ref)
    found.self_test()
    assert ModelSection().resolve_bundle(state).resolve() == found.root
    in_use = read_in_use(state)
    if in_use is not None:
        assert profiles_dir(state, in_use.active.profiles).is_dir()
        assert in_use.last_good is not None and bundle_dir(state, in_use.last_good.bundle.sha256).is_dir()


def test_after_a_kill_the_next_attempt_succeeds(tmp_path: Path, archive: Path, new: Bundle, old: Bundle) -> None:
    state = tmp_path / "state"
    for step in ("unpacked", "profiles_in_place", "before_switch"):
        assert take_over(state, archive, new, step) == -signal.SIGKILL
    assert take_over(state, archive, new) == 0
    assert start(state).ref == new.ref
    kept = read_in_use(state)
    assert kept is not None and kept.last_good == Slot(bundle=old.ref, profiles=BASE_SET)
    assert sorted(path.name for path in (state / "models" / "bundles").iterdir()) == sorted([old.sha256, new.sha256])
    assert not (state / "models" / ".incoming").exists()


@pytest.fixture
def taken(tmp_path: Path, new: Bundle, old: Bundle) -> Path:
    """A state directory in which the new bundle is in use and not confirmed."""
    state, copy = tmp_path / "state", tmp_path / "new.tar"
    copy.write_bytes(archive_of(new))
    shelf = Shelf(state)
    shelf.clear_incoming()
    bundle = shelf.unpack(copy)
    (shelf.incoming / "profiles").mkdir()
    shelf.place_profiles(shelf.incoming / "profiles", SET)
    shelf.switch(Slot(bundle=bundle.ref, profiles=SET), old, rollout=ROLLOUT, configured="default")
    return state


def test_a_bundle_that_never_does_well_is_left_after_three_starts(taken: Path, new: Bundle, old: Bundle) -> None:
    assert [start(taken).ref for _ in range(MAX_BOOTS)] == [new.ref] * MAX_BOOTS
    assert start(taken).ref == old.ref
    in_use = read_in_use(taken)
    assert in_use is not None and in_use.confirmed and in_use.last_good is None
    assert [(one.rollout, one.phase) for one in in_use.declined] == [(ROLLOUT, "failed")]
    assert "3 times" in in_use.declined[0].why


def test_a_confirmed_bundle_is_counted_no_more(taken: Path, new: Bundle) -> None:
    Shelf(taken).confirm()
    for _ in range(MAX_BOOTS + 2):
        assert start(taken).ref == new.ref


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_damaged_bundle_is_left_for_the_last_good_one(taken: Path, new: Bundle, old: Bundle, confirmed: bool) -> None:
    if confirmed:
        Shelf(taken).confirm()
    model = bundle_dir(taken, new.sha256) / "encoder.tflite"
    model.write_bytes(b"\0" * model.stat().st_size)
    first, second = begun(taken), begun(taken)
    assert (first.bundle.ref, first.left) == (old.ref, 1)
    assert (second.bundle.ref, second.left) == (old.ref, 0), "it was left once"


def test_profiles_that_do_not_fit_are_left_with_their_bundle(taken: Path, new: Bundle, old: Bundle) -> None:
    def fit(bundle: Bundle) -> None:
        if bundle.ref == new.ref:
            raise BundleError("the profiles are of another bundle")

    found = begin(taken, "default", lambda: load_bundle(SHIPPED), fit)
    assert (found.bundle.ref, found.left) == (old.ref, 1)


def test_with_both_damaged_it_is_the_configured_one(taken: Path, new: Bundle, old: Bundle) -> None:
    for bundle in (new, old):
        (bundle_dir(taken, bundle.sha256) / "manifest.json").write_text("{}")
    found = begun(taken)
    assert (found.bundle.root, found.left) == (SHIPPED.resolve(), 2)
    assert (taken / "models" / "active.json.aside").exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff" * 100_000])
def test_a_damaged_file_is_set_aside(taken: Path, content: bytes) -> None:
    (taken / "models" / "active.json").write_bytes(content)
    assert start(taken).root == SHIPPED.resolve()
    assert (taken / "models" / "active.json.aside").read_bytes() == content


def test_another_configured_bundle_counts_more(taken: Path, tmp_path: Path) -> None:
    mine = variant(tmp_path / "mine", "8.0.0")
    found = begin(taken, str(mine.root), lambda: load_bundle(mine.root), lambda bundle: None)
    assert (found.bundle.ref, found.left) == (mine.ref, 0), "somebody chose another: nothing was left for a flaw"
    assert read_in_use(taken) is None


def test_going_back_brings_bundle_and_profiles_together(taken: Path, old: Bundle) -> None:
    assert ProfileStore(taken).directory == profiles_dir(taken, SET)
    back = Shelf(taken).go_back("asked for")
    assert back is not None and back.active == Slot(bundle=old.ref, profiles=BASE_SET)
    assert ProfileStore(taken).directory == taken / "profiles"
    assert Shelf(taken).go_back("once more") is None


def test_what_nothing_names_is_tidied_away(taken: Path) -> None:
    stray = bundle_dir(taken, "9" * 64)
    stray.mkdir()
    Shelf(taken).tidy()
    assert not stray.exists()
    assert len(list((taken / "models" / "bundles").iterdir())) == 2


def test_what_was_declined_is_remembered_and_bounded(taken: Path) -> None:
    in_use = read_in_use(taken)
    assert in_use is not None
    for number in range(80):
        one = {"rollout": f"{number:026d}", "bundle": in_use.active.bundle.model_dump(), "phase": "failed", "why": "x"}
        in_use = in_use.declining(Declined.model_validate(one))
    assert len(in_use.declined) == 50
    assert json.loads(in_use.model_dump_json())["declined"][-1]["rollout"].endswith("79")


def test_the_command_shows_what_is_in_use_and_goes_back(
    taken: Path, new: Bundle, old: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state-dir", str(taken)]
    assert cli.main(["models", *state]) == 0
    shown = capsys.readouterr().out
    assert new.sha256 in shown and "not confirmed yet" in shown and ROLLOUT in shown
    assert f"last good  {old.ref.name} {old.ref.version}" in shown
    assert cli.main(["models", "rollback", *state]) == 0
    assert start(taken).ref == old.ref
    assert cli.main(["models", "rollback", *state]) == 1
    assert "no last good bundle" in capsys.readouterr().err
