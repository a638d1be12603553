"""The speech detector from synthesis to files, a few steps of it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
pytest.importorskip("tensorflow", reason="needs the train extra")
if shutil.which("espeak-ng") is None:
    pytest.skip("espeak-ng is not installed", allow_module_level=True)

from edge_agent.speech.detector import load_detector  # after the skips
from training_hub.speech.dataset import SetPlan, make_set
from training_hub.speech.train import main
from training_hub.speech.voices import Split

pytestmark = pytest.mark.train


def test_the_same_seed_gives_the_same_set() -> None:
    plan = SetPlan(utterances=3, scenes=2, patches=6, seed=4)
    one, two = make_set(Split.TRAIN, plan), make_set(Split.TRAIN, plan)
    assert np.array_equal(one.patches, two.patches)
    assert one.speech.tolist() == [False, True] * 3
    assert np.isnan(one.snr_db[::2]).all() and np.isfinite(one.snr_db[1::2]).all()
    other = make_set(Split.TEST, plan)
    assert not np.array_equal(one.patches, other.patches)


def test_a_detector_is_trained_measured_and_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MACHINE_SOUND_DATA", raising=False)
    assert main(["--out", str(tmp_path), "--steps", "2", "--patches", "450", "--pieces", "10"]) == 0
    detector = load_detector(tmp_path)
    assert (tmp_path / "speech.tflite").stat().st_size < 60_000
    measured = {figure.on for figure in detector.manifest.results}
    assert "two seconds, espeak-ng, not trained on, 6 dB over simulated machines" in measured
    assert detector.find(np.zeros((100, 128), np.float32)).highest <= 1.0
