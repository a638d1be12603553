import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.bundle import load_bundle
from training_hub.training.bundle_writer import add_type, write_npz
from training_hub.training.errors import TrainingError

SHIPPED = Path(__file__).parents[3] / "models" / "default"
ARRAYS = {"precision": np.eye(3, dtype=np.float32), "names": np.array(["a", "b"])}


@pytest.fixture(scope="module")
def shipped() -> Path:
    if not (SHIPPED / "manifest.json").is_file():
        pytest.skip("models/default is not built; run make models")
    return SHIPPED


def test_a_type_added_to_a_copy_loads_and_leaves_the_original_alone(shipped: Path, tmp_path: Path) -> None:
    before = (shipped / "manifest.json").read_bytes()
    bundle = load_bundle(shipped, probe=False, self_test=False)
    add_type(bundle, "press", ARRAYS, tmp_path / "new")
    changed = load_bundle(tmp_path / "new", probe=False)
    name, arrays = changed.type_arrays("press")
    assert name == "press"
    np.testing.assert_array_equal(arrays["precision"], np.eye(3))
    assert changed.sha256 != bundle.sha256
    assert (shipped / "manifest.json").read_bytes() == before
    assert "press" not in bundle.manifest.machine_types


def test_the_same_arrays_give_the_same_bundle(shipped: Path, tmp_path: Path) -> None:
    bundle = load_bundle(shipped, probe=False, self_test=False)
    first = add_type(bundle, "press", ARRAYS, tmp_path / "a")
    second = add_type(bundle, "press", ARRAYS, tmp_path / "b")
    assert first == second
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_a_type_can_be_replaced_in_place(shipped: Path, tmp_path: Path) -> None:
    add_type(load_bundle(shipped, probe=False, self_test=False), "press", ARRAYS, tmp_path / "new")
    bundle = load_bundle(tmp_path / "new", probe=False, self_test=False)
    add_type(bundle, "press", {"precision": np.zeros(2, np.float32)}, bundle.root)
    assert load_bundle(tmp_path / "new", probe=False).type_arrays("press")[1]["precision"].shape == (2,)
    listed = [entry["path"] for entry in json.loads((tmp_path / "new/manifest.json").read_text())["files"]]
    assert listed == sorted(set(listed))


def test_a_directory_in_use_is_not_overwritten(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(TrainingError, match="not empty"):
        add_type(load_bundle(shipped, probe=False, self_test=False), "press", ARRAYS, tmp_path)


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.array([{}], dtype=object)])
def test_arrays_that_no_reader_accepts_are_not_written(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(TrainingError, match="refused"):
        write_npz(tmp_path / "x.npz", {"a": bad})
