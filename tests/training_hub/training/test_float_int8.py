"""Float against int8, on scores whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from edge_agent.inference.manifest import InputSpec
from edge_agent.signal.settings import SignalSettings
from training_hub.training.errors import TrainingError
from training_hub.training.float_int8 import LabelledClips, _compare, compare, read_clips
from training_hub.training.tflite_bundle import ModelMeaning, encoder_of

TINY = Path(__file__).parents[2] / "inference" / "fixtures" / "tiny_autoencoder.tflite"
MEANING = ModelMeaning(InputSpec(layout="stacked_frames", frames=5, remove_level=False), ("reconstruction",))


def test_a_shift_of_all_scores_keeps_the_auc_and_spoils_the_threshold() -> None:
    plain = np.concatenate([np.arange(20.0), [18.5, 30.0]])
    odd = np.arange(22) >= 20
    found = _compare("m", plain, plain + 5.0, odd)
    assert found.auc_float == found.auc_int8 == pytest.approx((19 + 20) / 40)
    assert found.score_shift == pytest.approx(5.0 / plain[:20].std())
    assert found.false_alarms_float == pytest.approx(0.1)
    assert found.false_alarms_transferred == pytest.approx(0.35)


def test_a_model_against_itself_costs_nothing() -> None:
    encoder = encoder_of(TINY.read_bytes(), MEANING, name="tiny")
    clips = np.random.default_rng(0).normal(-40, 5, (8, 20, 128)).astype(np.float32)
    odd = np.arange(8) >= 5
    (found,) = compare(encoder, encoder, LabelledClips(clips, odd, np.full(8, "m")), SignalSettings())
    assert (found.score_shift, found.auc_float) == (0.0, found.auc_int8)


def test_clips_that_say_too_little_are_refused(tmp_path: Path) -> None:
    encoder = encoder_of(TINY.read_bytes(), MEANING, name="tiny")
    clips = np.zeros((3, 20, 128), np.float32)
    with pytest.raises(TrainingError, match="machine m: 3 normal and 0 anomalous"):
        compare(encoder, encoder, LabelledClips(clips, np.zeros(3, bool), np.full(3, "m")), SignalSettings())
    np.savez(tmp_path / "c.npz", log_mel_db=clips)
    with pytest.raises(TrainingError, match=r"c\.npz: needs log_mel_db"):
        read_clips(tmp_path / "c.npz")
