"""A TFLite anomaly model from elsewhere, from its manifest alone: exported, replayed, commissioned."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from edge_agent.delivery.result import ResultData
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.logmel import log_mel_db
from tests.support.agent import RECORDINGS, ROOT, Shell, machine_sound, needs_recordings, write_sound
from training_hub.cli import main as training_hub

TINY = ROOT / "tests" / "inference" / "fixtures" / "tiny_autoencoder.tflite"
PEER = RECORDINGS.parent / "peers" / "mlperf_tiny_ad01_int8.tflite"
TOY_CARS = RECORDINGS / "toycar_logmel" / "ids_01_02_03.npz"


def export(model: Path, out: Path, *words: str) -> int:
    return training_hub(["export", "--tflite", str(model), "--out", str(out), "--name", "byo", *words])


def errors_by_hand(model: TFLiteModel, frames: np.ndarray) -> float:
    vectors = np.stack([frames[k : k + 5].reshape(640) for k in range(len(frames) - 4)])
    (rebuilt,) = model.run(vectors)
    return float(np.square(vectors - rebuilt).mean(axis=1).mean())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("byo") / "bundle"
    assert export(TINY, out) == 0
    return out


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for seed in range(8):
        write_sound(root / f"{seed}.wav", (1.0 + 0.02 * seed) * machine_sound(10.0, seed=seed))
    return root


def test_before_commissioning_the_score_is_the_error_over_every_frame(
    shell: Shell, bundle: Path, sounds: Path, tmp_path: Path
) -> None:
    done = shell("replay", sounds / "3.wav", "--bundle", bundle, "--state-dir", tmp_path, "--json")
    assert done.status == 0
    (event,) = done.events
    model = load_bundle(bundle).encoder().model
    frames = log_mel_db(np.round(1.06 * machine_sound(10.0, seed=3) * 32768).astype(np.float32) / 32768)
    anomaly = event["data"]["anomaly"]
    assert anomaly["score"] == pytest.approx(errors_by_hand(model, frames), rel=1e-3)
    assert (anomaly["threshold"], anomaly["percentile"], event["data"]["state"]) == (None, None, "unknown")
    ResultData.model_validate_json(json.dumps(event["data"]))


def test_block_sizes_give_the_same_error(shell: Shell, bundle: Path, sounds: Path, tmp_path: Path) -> None:
    words = ("--bundle", bundle, "--state-dir", tmp_path, "--json", "--window-s", "4")
    whole = shell("replay", sounds / "1.wav", *words)
    split = shell("replay", sounds / "1.wav", *words, "--block-samples", "777")
    assert len(whole.scores) == 2  # the rest of 2 s is less than 80 % of a window
    assert split.scores == whole.scores


def test_commissioned_its_score_is_calibrated_and_keeps_the_order_of_the_errors(
    shell: Shell, bundle: Path, sounds: Path, tmp_path: Path
) -> None:
    words = ("--bundle", bundle, "--state-dir", tmp_path)
    before = shell("replay", sounds, *words, "--json").scores
    learnt = shell("commission", "--machine", "m", "--from", sounds, *words)
    assert learnt.status == 0
    assert "prior neutral" in learnt.out
    done = shell("replay", sounds, "--machine", "m", *words, "--json")
    assert np.argsort(done.scores).tolist() == np.argsort(before).tolist()
    for event in done.events:
        anomaly = event["data"]["anomaly"]
        assert [part["name"] for part in anomaly["detectors"]] == ["reconstruction"]
        assert 0 <= anomaly["percentile"] <= 100 and anomaly["threshold"] > 0
        assert event["data"]["state"] == "normal"


def test_a_profile_is_refused_with_another_model(shell: Shell, bundle: Path, sounds: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert shell("commission", "--machine", "m", "--from", sounds, "--bundle", bundle, "--state-dir", state).status == 0
    other = tmp_path / "other.tflite"
    other.write_bytes(TINY.read_bytes() + bytes(16))  # the same model, but not the same file
    assert export(other, tmp_path / "other") == 0
    done = shell("replay", sounds, "--machine", "m", "--bundle", tmp_path / "other", "--state-dir", state)
    assert done.status == 1
    assert "commission the machine again" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--frames", "7"], "7 frames of 128 bands"),
        (["--semantics", "reconstruction", "embedding"], "1 outputs (of 640 values) and 2 meanings"),
        (["--semantics", "logits"], "0 labels for 640 logits"),
        (["--std-db", "0"], "std_db"),
        (["--semantics", "-"], "outputs"),
        (["--version", "one"], "version"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert export(TINY, tmp_path / "out", *words) == 1
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@needs_recordings
@pytest.mark.data
@pytest.mark.skipif(not PEER.is_file(), reason=f"no peer model at {PEER}")
def test_the_mlperf_tiny_autoencoder_gives_its_figures(shell: Shell, tmp_path: Path) -> None:
    assert export(PEER, tmp_path / "ad01", "--licence", "Apache-2.0") == 0
    done = shell("replay", TOY_CARS, "--bundle", tmp_path / "ad01", "--state-dir", tmp_path / "state", "--json")
    assert done.status == 0
    scores = np.array(done.scores)
    auc = runpy.run_path(str(ROOT / "tools" / "auc.py"))["auc"]
    with np.load(TOY_CARS, allow_pickle=False) as clips:
        anomalous, machines = clips["anomalous"].astype(bool), clips["machine_id"]
    for machine, expected in (("01", 0.822), ("02", 0.910), ("03", 0.742)):
        own = machines == machine
        assert auc(scores[own & ~anomalous], scores[own & anomalous]) == pytest.approx(expected, abs=0.003)
