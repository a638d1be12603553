"""Patches with and without speech, mixed from synthetic voices and simulated scenes. The same seed gives the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.logmel import log_mel_db
from edge_agent.speech.features import PATCH_FRAMES, speech_patches
from training_hub.speech.scenes import at_rms, clatter, filtered, machine, resampled, reverberant
from training_hub.speech.voices import RATE_HZ, Split, speak, utterances

FloatArray = NDArray[np.float32]

PATCH_SAMPLES = (PATCH_FRAMES - 1) * 512 + 1024
_FRAME = 160
_ACTIVE_DB = -30.0
"""A frame of a clean voice this far below its loudest is a pause."""


@dataclass(frozen=True, slots=True)
class SetPlan:
    """How much to make.

    Attributes:
        utterances: Spoken texts, of some 5 s each.
        scenes: Machines and clatter, 20 s each.
        patches: Patches in all, half of them with speech.
        seed: Which.
    """

    utterances: int = 1_000
    scenes: int = 300
    patches: int = 16_000
    seed: int = 1


@dataclass(frozen=True, eq=False)
class PatchSet:
    """Inputs and truths.

    Attributes:
        patches: float16 `[n, 64, 128]`.
        speech: Whether somebody speaks in it, `[n]`.
        snr_db: How loud, against what else is heard while somebody speaks; NaN without speech.
    """

    patches: NDArray[np.float16]
    speech: NDArray[np.bool_]
    snr_db: FloatArray


def make_set(split: Split, plan: SetPlan, progress: Callable[[str], None] = lambda _: None) -> PatchSet:
    """Synthesise a set; minutes for the default plan.

    Raises:
        SpeechTrainingError: espeak-ng is missing.
    """
    rng = np.random.default_rng([plan.seed, list(Split).index(split), 7])
    voices = [speak(utterance) for utterance in utterances(split, plan.utterances, plan.seed)]
    progress(f"{split}: {sum(map(len, voices)) / RATE_HZ / 60:.0f} minutes of {len(voices)} utterances")
    scenes = [machine(rng, 20.0) if k % 3 == 0 else clatter(rng, 20.0) for k in range(plan.scenes)]
    progress(f"{split}: {len(scenes)} scenes")
    patches = np.empty((plan.patches, PATCH_FRAMES, 128), np.float16)
    speech = np.zeros(plan.patches, np.bool_)
    snr_db = np.full(plan.patches, np.nan, np.float32)
    for row in range(plan.patches):
        scene = _stretch(scenes[rng.integers(len(scenes))], rng)
        if rng.random() < 0.25:
            scene = scene + np.float32(10 ** rng.uniform(-1.5, 0.0)) * _stretch(scenes[rng.integers(len(scenes))], rng)
        if row % 2:
            speech[row] = True
            snr_db[row] = rng.uniform(-3.0, 25.0)
            scene = mixed(spoken(voices, rng), scene, float(snr_db[row]))
        patches[row] = speech_patches(log_mel_db(at_rms(scene, 10 ** rng.uniform(-3.0, -0.7))))[0]
    return PatchSet(patches, speech, snr_db)


def spoken(voices: list[FloatArray], rng: np.random.Generator) -> FloatArray:
    """Two seconds of somebody, at some place in a room, with at least 0.5 s of voice in it."""
    while True:
        voice = voices[rng.integers(len(voices))]
        at = int(rng.integers(-len(voice) + RATE_HZ // 2, PATCH_SAMPLES - RATE_HZ // 2))
        heard = voice[max(0, -at) : max(0, round(1.2 * PATCH_SAMPLES) - at)]
        heard = resampled(heard, float(rng.uniform(0.88, 1.14)))[: PATCH_SAMPLES - max(0, at)]
        piece = np.zeros(PATCH_SAMPLES, np.float32)
        piece[max(0, at) : max(0, at) + len(heard)] = heard
        if active(piece).sum() * _FRAME >= RATE_HZ // 2:
            piece = filtered(piece, rng)
            return reverberant(piece, rng) if rng.random() < 0.7 else piece


def mixed(voice: FloatArray, scene: FloatArray, snr_db: float) -> FloatArray:
    """A voice over a scene; the ratio counts the voice's power while it speaks, pauses left out."""
    power = np.square(voice[: len(voice) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1)
    spoken_power = float(power[active(voice)].mean())
    scale = np.sqrt(float(np.square(scene).mean()) * 10 ** (snr_db / 10) / max(spoken_power, 1e-12))
    return np.asarray(scene + np.float32(scale) * voice, np.float32)


def active(voice: FloatArray) -> NDArray[np.bool_]:
    """Which 10-ms frames of a clean voice are speech, by their level."""
    power = np.square(voice[: len(voice) // _FRAME * _FRAME].reshape(-1, _FRAME)).mean(axis=1)
    return np.asarray(power > max(float(power.max()) * 10 ** (_ACTIVE_DB / 10), 1e-9), np.bool_)


def batches(data: PatchSet, size: int, rng: np.random.Generator) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Shuffled inputs and targets, without end; parts of a patch are blotted out (SpecAugment, D. S. Park 2019)."""
    while True:
        rows = rng.choice(len(data.patches), size, replace=False)
        chosen = data.patches[rows].astype(np.float32)
        for patch in chosen:
            if rng.random() < 0.3:
                low, width = int(rng.integers(128)), int(rng.integers(4, 32))
                patch[:, low : low + width] = 0.0
        yield chosen, data.speech[rows].astype(np.float32)


def _stretch(scene: FloatArray, rng: np.random.Generator) -> FloatArray:
    at = int(rng.integers(len(scene) - PATCH_SAMPLES))
    return scene[at : at + PATCH_SAMPLES]
