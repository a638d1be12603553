import json
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("tensorflow", reason="needs the train extra")

from edge_agent.inference.bundle import load_bundle  # after the skips
from training_hub.training.bundle_writer import add_type
from training_hub.training.dataset import TrainingSet
from training_hub.training.errors import TrainingError
from training_hub.training.export import BundleName, export_bundle
from training_hub.training.finish import finish_run
from training_hub.training.plan import TrainingPlan
from training_hub.training.trainer import Trainer

pytestmark = pytest.mark.train

CALLED = BundleName("tiny", "1.0.0", "A test.")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def finished(run_dir: Path, training_set: TrainingSet) -> Path:
    if not (run_dir / "run.json").exists():
        trainer = Trainer(TrainingPlan(steps=60, batch=16), training_set, run_dir)
        for _ in trainer.run():
            pass
        finish_run(trainer, training_set)
    return run_dir


def test_a_run_becomes_a_bundle_that_verifies_itself(finished: Path, training_set: TrainingSet, tmp_path: Path) -> None:
    bundle = export_bundle(finished, tmp_path / "tiny", CALLED, training_set.test, notes="## More\n\nWords.\n")
    assert bundle.manifest.labels == training_set.labels
    bundle.self_test()
    encoded = bundle.encoder().encode(np.full((3, 64, 128), -60, np.float32))
    assert encoded.embeddings.shape == (3, 128)
    assert encoded.logits.shape == (3, 4)
    names = [result.name for result in bundle.manifest.results]
    assert "machine recognised, whole recording, int8" in names
    card = (tmp_path / "tiny/MODEL_CARD.md").read_text()
    assert card.endswith("\n\n## More\n\nWords.\n")
    assert all(result.name in card for result in bundle.manifest.results)
    assert all(source.licence in card for source in bundle.manifest.training.data)  # type: ignore[union-attr]


def test_an_existing_bundle_is_replaced_only_on_request_and_keeps_its_types(
    finished: Path, training_set: TrainingSet, tmp_path: Path
) -> None:
    out = tmp_path / "tiny"
    first = export_bundle(finished, out, CALLED, training_set.test)
    with pytest.raises(TrainingError, match="exists"):
        export_bundle(finished, out, CALLED, training_set.test)
    add_type(first, "generic", {"a": np.ones(2, np.float32)}, first.root)
    again = export_bundle(finished, out, CALLED, training_set.test, types_from=out, replace=True)
    assert again.manifest.machine_types == ("generic",)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_run_that_has_not_finished_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"run\.json.*finish"):
        export_bundle(tmp_path, tmp_path / "out", CALLED, ())


def test_the_manifest_on_disk_is_plain_json(finished: Path, training_set: TrainingSet, tmp_path: Path) -> None:
    export_bundle(finished, tmp_path / "tiny", CALLED, training_set.test)
    manifest = json.loads((tmp_path / "tiny/manifest.json").read_text())
    assert manifest["encoder"]["outputs"][0]["semantics"] == "embedding"
    assert load_bundle(tmp_path / "tiny").manifest.training.seed == 1  # type: ignore[union-attr]
