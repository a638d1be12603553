"""The shipped speech detector: sound files, what it hears and what it does not."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge_agent.config.clips import ClipsSection
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineType, random_spec
from edge_agent.speech.detector import load_detector, spans_of
from edge_agent.speech.errors import SpeechError
from edge_agent.speech.features import HOP_FRAMES, PATCH_FRAMES, patch_starts, speech_patches
from training_hub.speech.dataset import mixed, spoken
from training_hub.speech.voices import RATE_HZ, Split, speak, utterances

SHIPPED = ClipsSection().resolve_detector()
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def test_it_is_small() -> None:
    assert (SHIPPED / "speech.tflite").stat().st_size < 60_000


@pytest.mark.parametrize("frames", [0, 1, 63, 64, 65, 100, 311, 1500])
def test_every_frame_is_looked_at(frames: int) -> None:
    rng = np.random.default_rng(frames)
    spectrogram = rng.normal(-60.0, 5.0, (frames, 128)).astype(np.float32)
    starts = patch_starts(frames)
    assert len(speech_patches(spectrogram)) == len(starts) == len(load_detector(SHIPPED).logits(spectrogram))
    seen = np.zeros(frames, bool)
    for start in starts:
        first = max(0, min(start, frames - PATCH_FRAMES))
        seen[first : first + PATCH_FRAMES] = True
    assert seen.all()
    assert all(b - a == HOP_FRAMES for a, b in pairwise(starts))


def test_gain_and_colour_of_a_microphone_change_nothing() -> None:
    rng = np.random.default_rng(1)
    spectrogram = rng.normal(-60.0, 5.0, (100, 128)).astype(np.float32)
    coloured = spectrogram + 20.0 + np.linspace(-30, 10, 128, dtype=np.float32)
    assert np.allclose(speech_patches(coloured), speech_patches(spectrogram), atol=1e-5)


SPANS = {
    "nothing heard": ([-9, 1.9, 1.9, -9], []),
    "one patch": ([-9, 5, -9, -9, -9, -9], [(16, 80)]),
    "those beside it that come near": ([-9, 2.1, 5, 2.1, -9, -9], [(16, 112)]),
    "not those that come near elsewhere": ([5, -9, -9, -9, -9, 2.1], [(0, 64)]),
    "two that touch are one": ([5, -9, -9, -9, 5, -9], [(0, 128)]),
    "two apart": ([5, -9, -9, -9, -9, 5], [(0, 64), (80, 144)]),
    "the last patch ends with the recording": ([-9, -9, -9, -9, 2.1, 5], [(64, 144)]),
}


@pytest.mark.parametrize("name", list(SPANS))
def test_where_speech_is_what_is_near_it_belongs_to_it(name: str) -> None:
    logits, spans = SPANS[name]
    assert list(spans_of(np.array(logits, np.float32), 64 + 16 * (len(logits) - 1), 5.0)) == spans


@pytest.mark.parametrize("kind", list(MachineType))
def test_machines_do_not_speak(kind: MachineType) -> None:
    detector = load_detector(SHIPPED)
    flagged = 0
    for seed in range(6):
        simulator = MachineSimulator(random_spec(kind, np.random.default_rng(1000 + seed)), seed)
        flagged += bool(detector.find(log_mel_db(simulator.render(10 * RATE_HZ))).spans)
    assert flagged <= 1


@needs_espeak
def test_voices_it_was_not_trained_on_are_heard_over_machines() -> None:
    detector = load_detector(SHIPPED)
    rng = np.random.default_rng(3)
    voices = [speak(utterance) for utterance in utterances(Split.TEST, 20, 42)]
    found = 0
    for number in range(40):
        kind = list(MachineType)[number % len(MachineType)]
        scene = MachineSimulator(random_spec(kind, rng), number).render(33_280)
        found += bool(detector.find(log_mel_db(mixed(spoken(voices, rng), scene[:33_280], 10.0))).spans)
    assert found >= 34


FLAWS = [
    ("schema_version", 2, "schema_version"),
    ("threshold", "low", "threshold"),
    ("model_sha256", "0" * 64, "SHA-256"),
    ("signal_sha256", "0" * 64, "other signal settings"),
    ("extra", 1, "extra"),
]


@pytest.mark.parametrize(("key", "value", "message"), FLAWS, ids=[row[0] for row in FLAWS])
def test_a_flawed_manifest_is_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "speech")
    path = tmp_path / "speech" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(SpeechError, match=message):
        load_detector(tmp_path / "speech")


def test_an_absent_detector_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="install the detector"):
        load_detector(tmp_path)
