"""What the detector hears and what it takes for speech: figures on voices and machines it never met."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge_agent.signal.logmel import log_mel_db
from edge_agent.speech.features import PATCH_FRAMES
from training_hub.speech.dataset import PATCH_SAMPLES, mixed, spoken
from training_hub.speech.scenes import RATE_HZ, at_rms
from training_hub.speech.voices import Split, speak, utterances

FloatArray = NDArray[np.float32]
Logits = Callable[[FloatArray], FloatArray]
"""From frames `[frames, 128]` to the logit of every patch."""

SNRS_DB = (0.0, 6.0, 12.0)
FLITE_VOICES = ("kal16", "awb", "rms", "slt")
"""Voices cut from recordings of people (CMU Arctic and others): the nearest to people that a synthesiser comes."""

_ESC_50_CLASS = re.compile(r"esc(\d\d)")
_ESC_50 = ("animals", "nature", "people without words", "household", "engines, tools and town")
"""Ten classes each (K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", 2015)."""
SENTENCES = (
    "Please close the valve before you leave, and tell me when the pressure is down.",
    "I told him yesterday that the bearing on number four is getting loud again.",
    "Can you hear me? We will stop the line at half past three and look at it together.",
    "The delivery has arrived, there are twenty two boxes and one of them is open.",
)


@dataclass(frozen=True)
class Recall:
    """How many two-second pieces with speech are found.

    Attributes:
        voices: Whose.
        snr_db: How loud they are against the machine, while they speak.
        pieces: How many were tried.
        found: Share of them at or above the threshold.
    """

    voices: str
    snr_db: float
    pieces: int
    found: float


@dataclass(frozen=True)
class FalseAlarms:
    """Recordings without speech in which some is found.

    Attributes:
        name: Which recordings.
        clips, groups: How many, and of how many independent recordings.
        flagged: Share of the clips with any patch at or above the threshold.
        patches: Share of all patches.
    """

    name: str
    clips: int
    groups: int
    flagged: float
    patches: float


def machine_clips(manifest: Path) -> Iterator[tuple[str, str, str, FloatArray]]:
    """Name, machine type, group and samples `[n]` at 16 kHz of every development recording."""
    with manifest.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            samples, rate_hz = soundfile.read(manifest.parent / row["file"], dtype="float32", always_2d=True)
            mono = np.ascontiguousarray(samples[:, 0])
            if rate_hz != RATE_HZ:
                mono = np.asarray(soxr.resample(mono, rate_hz, RATE_HZ), np.float32)
            kind = row["machine_type"]
            if match := _ESC_50_CLASS.match(row["machine_id"]):
                kind = f"background, {_ESC_50[int(match[1]) // 10]}"
            yield row["file"], kind, row["group"], mono


def flite_voices(sentences: Sequence[str] = SENTENCES) -> list[FloatArray]:
    """Sentences by voices that were cut from recordings of people; none where flite is not installed."""
    if shutil.which("flite") is None:
        return []
    voices = []
    for voice in FLITE_VOICES:
        for sentence in sentences:
            command = ["flite", "-voice", voice, "-t", sentence, "-o", "/dev/stdout"]
            wav = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
            rate_hz = int.from_bytes(wav[24:28], "little")
            samples = np.frombuffer(wav[44 : 44 + (len(wav) - 44) // 2 * 2], "<i2").astype(np.float32) / 32768
            voices.append(np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32))
    return voices


def test_voices(count: int = 150, seed: int = 99) -> list[FloatArray]:
    """espeak-ng with languages and variants that training never used."""
    return [speak(utterance) for utterance in utterances(Split.TEST, count, seed)]


def pieces(
    voices: list[FloatArray], scenes: list[FloatArray], snr_db: float, count: int, seed: int = 5
) -> Iterator[FloatArray]:
    """Frames of two-second pieces of speech over machines."""
    rng = np.random.default_rng([seed, round(10 * snr_db) + 1000])
    for _ in range(count):
        scene = scenes[rng.integers(len(scenes))]
        at = int(rng.integers(max(1, len(scene) - PATCH_SAMPLES)))
        bed = at_rms(np.resize(scene[at : at + PATCH_SAMPLES], PATCH_SAMPLES), 0.02)
        yield log_mel_db(mixed(spoken(voices, rng), bed, snr_db))[:PATCH_FRAMES]


def recall(
    logits: Logits, threshold: float, *, name: str, voices: list[FloatArray], scenes: list[FloatArray], count: int = 400
) -> Iterator[Recall]:
    """Recall at every ratio."""
    for snr_db in SNRS_DB:
        found = [float(logits(frames).max()) >= threshold for frames in pieces(voices, scenes, snr_db, count)]
        yield Recall(name, snr_db, len(found), float(np.mean(found)))


def clip_recall(
    logits: Logits, threshold: float, *, name: str, voices: list[FloatArray], scenes: list[FloatArray], count: int = 200
) -> Iterator[Recall]:
    """Share of clips of ten seconds in six of which somebody speaks that are found, at every ratio."""
    for snr_db in SNRS_DB:
        rng, found = np.random.default_rng([6, round(10 * snr_db) + 1000]), 0
        for _ in range(count):
            clip = np.zeros(10 * RATE_HZ, np.float32)
            at = int(rng.integers(0, 4 * RATE_HZ))
            clip[at : at + 6 * RATE_HZ] = np.resize(voices[rng.integers(len(voices))], 6 * RATE_HZ)
            bed = at_rms(np.resize(scenes[rng.integers(len(scenes))], len(clip)), 0.02)
            found += float(logits(log_mel_db(mixed(clip, bed, snr_db))).max()) >= threshold
        yield Recall(name, snr_db, count, found / count)


def false_alarms(logits: Logits, threshold: float, clips: list[tuple[str, str, FloatArray]]) -> Iterator[FalseAlarms]:
    """False alarms by kind of sound; `clips` holds kind, group and frames."""
    for kind in sorted({kind for kind, _, _ in clips}):
        found = [logits(frames) for each, _, frames in clips if each == kind]
        groups = {group for each, group, _ in clips if each == kind}
        yield FalseAlarms(
            kind,
            len(found),
            len(groups),
            float(np.mean([float(each.max()) >= threshold for each in found])),
            float(np.mean(np.concatenate(found) >= threshold)),
        )
