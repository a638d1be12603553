"""Synthetic voices in great variety, and which of them the detector never hears before it is measured.

espeak-ng is a formant synthesiser: one source-filter model with some 100 languages' rules and 100 variants of pitch,
formants, breath and rhythm. It is no crowd of people, and whoever reads a recall measured on it must know that.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import soxr
from numpy.typing import NDArray

from training_hub.speech.errors import SpeechTrainingError

FloatArray = NDArray[np.float32]
RATE_HZ = 16_000

LANGUAGES = (
    "af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en-029", "en-gb", "en-gb-scotland",
    "en-gb-x-rp", "en-us", "eo", "es", "es-419", "et", "eu", "fa", "fi", "fr-be", "fr-fr", "ga", "gd", "gu", "he", "hi",
    "hr", "hu", "hy", "id", "is", "it", "ka", "kk", "kn", "ko", "ku", "lt", "lv", "mk", "ml", "ms", "mt", "ne", "nl",
    "nb", "pa", "pl", "pt", "pt-br", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "tr", "uk", "ur",
    "vi-vn-x-south", "cmn-latn-pinyin",
)  # fmt: skip
VARIANTS = (
    "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario",
    "Michael", "Mike", "Nguyen", "Storm", "adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin",
    "boris", "caleb", "david", "ed", "edward", "f1", "f2", "f3", "f4", "f5", "grandma", "grandpa", "gustave", "iven",
    "john", "kaukovalta", "klatt", "klatt2", "klatt3", "klatt4", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7",
    "m8", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "sandro", "shelby", "steph", "travis", "victor", "whisper", "zac",
)  # fmt: skip
_HELD_OUT_EVERY = 4
_ONSETS = ("", "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr", "pl", "kr", "sp")
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "ou", "ie")
_CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "st", "k")


class Split(StrEnum):
    """Voices to learn from, and voices to be measured with; they share no language and no variant."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is said by whom and how.

    Attributes:
        voice: Language and variant, as espeak-ng names them.
        words_per_minute: Rate of speech.
        pitch: 0 to 99.
        text: Words that no language has, and numbers, which every language reads in its own words.
    """

    voice: str
    words_per_minute: int
    pitch: int
    text: str


def utterances(split: Split, count: int, seed: int) -> Iterator[Utterance]:
    """Utterances of a split; the same seed gives the same.

    >>> train, test = ({u.voice for u in utterances(split, 500, 1)} for split in Split)
    >>> {v.split("+")[0] for v in train} & {v.split("+")[0] for v in test}
    set()
    """
    rng = np.random.default_rng([seed, list(Split).index(split)])
    languages, variants = voices_of(LANGUAGES, split), voices_of(VARIANTS, split)
    for _ in range(count):
        yield Utterance(
            voice=f"{languages[rng.integers(len(languages))]}+{variants[rng.integers(len(variants))]}",
            words_per_minute=int(rng.integers(110, 260)),
            pitch=int(rng.integers(5, 95)),
            text=_text(rng),
        )


def speak(utterance: Utterance) -> FloatArray:
    """An utterance as samples `[n]` at 16 kHz, peak 0.5; espeak-ng must be installed.

    Raises:
        SpeechTrainingError: espeak-ng is missing, or said nothing.
    """
    if shutil.which("espeak-ng") is None:
        raise SpeechTrainingError("espeak-ng is not installed; apt-get install espeak-ng")
    command = [
        "espeak-ng", "-v", utterance.voice, "-s", str(utterance.words_per_minute), "-p", str(utterance.pitch),
        "--stdout", "--", utterance.text,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode or len(done.stdout) < 1000:
        raise SpeechTrainingError(f"{utterance.voice}: espeak-ng said nothing: {done.stderr.decode()[:200]}")
    samples = np.frombuffer(done.stdout[44 : 44 + (len(done.stdout) - 44) // 2 * 2], "<i2").astype(np.float32)
    rate_hz = int.from_bytes(done.stdout[24:28], "little")
    resampled = np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)
    return np.asarray(resampled * np.float32(0.5 / max(1.0, float(np.abs(resampled).max()))), np.float32)


def voices_of(names: tuple[str, ...], split: Split) -> list[str]:
    """Those of a split."""
    held_out = split is Split.TEST
    return [name for number, name in enumerate(names) if (number % _HELD_OUT_EVERY == 2) is held_out]


def _text(rng: np.random.Generator) -> str:
    words = []
    for _ in range(int(rng.integers(5, 16))):
        if rng.random() < 0.3:
            words.append(str(int(rng.integers(1, 10 ** int(rng.integers(1, 5))))))
        else:
            parts = [_ONSETS, _NUCLEI, _CODAS] * int(rng.integers(1, 4))
            words.append("".join(part[rng.integers(len(part))] for part in parts))
        if rng.random() < 0.1:
            words[-1] += "," if rng.random() < 0.6 else "."
    return " ".join(words)
