"""What the shipped speech screen hears, and what it takes for speech: a table of the detector as the agent runs it.

    python -m benchmarks.detection.speech [--clips N] [--voices NAME...] [--detector DIR] [--json]

Voices: espeak-ng (languages and variants that training never used), and flite and festival where they are installed.
Machines: the recordings of MACHINE_SOUND_DATA, none of which it was trained on; without them, simulated ones. A bed
that is taken for speech by itself is left out of the recall: finding speech in it would be no merit.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from edge_agent.config.clips import ClipsSection
from edge_agent.signal.logmel import log_mel_db
from edge_agent.speech.detector import SpeechDetector, load_detector
from training_hub.speech.dataset import active
from training_hub.speech.evaluate import SENTENCES, false_alarms, flite_voices, machine_clips, test_voices
from training_hub.speech.scenes import at_rms, clatter, machine, reverberant
from training_hub.speech.voices import LANGUAGES, RATE_HZ, Split, Utterance, speak, voices_of

FloatArray = NDArray[np.float32]
CLIP_S = 10.0
_FRAME_S = 0.01
_WORDS = (
    "Stop!",
    "Yes.",
    "Anna?",
    "Hello.",
    "Number four.",
    "Come here.",
    "No, wait.",
    "Tomorrow.",
    "Ready?",
    "Turn it off.",
)
_VOICES = ("espeak-ng", "flite", "festival")
_FESTIVAL = ("kal_diphone", "cmu_us_slt_arctic_hts")

Place = Callable[[FloatArray, np.random.Generator], FloatArray]
"""Puts a voice into ten seconds of silence."""


@dataclass(frozen=True, eq=False)
class Case:
    """One line of the table.

    Attributes:
        what, name: Which voices, and where they speak.
        voices: Utterances, 16 kHz.
        place: Puts one into a clip.
        snr_db: How loud against the machine.
    """

    what: str
    name: str
    voices: list[FloatArray]
    place: Place
    snr_db: float


@dataclass(frozen=True)
class Heard:
    """Recall of one kind of voice in one kind of place.

    Attributes:
        what, voices: Which.
        snr_db: How loud against the machine, while somebody speaks.
        clips: Of ten seconds.
        found: Share of them that are not kept as they are.
        left_s: What policy `mask` leaves of the speech in those that are found, seconds a clip.
    """

    what: str
    voices: str
    snr_db: float
    clips: int
    found: float
    left_s: float


@dataclass(frozen=True)
class TakenForSpeech:
    """Clips of machines, of which none speaks."""

    what: str
    clips: int
    share: float
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=100, help="clips of each line of the table (default: 100)")
    parser.add_argument("--voices", nargs="+", choices=_VOICES, default=_VOICES, help="of these only (default: all)")
    parser.add_argument("--detector", type=Path, default=ClipsSection().resolve_detector(), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args(argv)
    detector = load_detector(options.detector)
    beds, alarms = machines(detector, options.clips)
    for line in alarms:
        _print(asdict(line), options.json)
    for case in cases(options.voices, options.clips):
        _print(asdict(recall(detector, beds, case, options.clips)), options.json)
    return 0


def machines(detector: SpeechDetector, count: int) -> tuple[list[FloatArray], list[TakenForSpeech]]:
    """Beds in which the detector hears nobody, and what it takes for speech."""
    data = os.environ.get("MACHINE_SOUND_DATA")
    if data and (Path(data) / "manifest.csv").is_file():
        found = [(kind, group, samples) for _, kind, group, samples in machine_clips(Path(data) / "manifest.csv")]
    else:
        rng = np.random.default_rng(77)
        found = [
            (f"simulated {make.__name__}", str(k), make(rng, CLIP_S))
            for k in range(count)
            for make in (machine, clatter)
        ]
    frames = [(kind, group, log_mel_db(samples)) for kind, group, samples in found]
    alarms = [
        TakenForSpeech(alarm.name, alarm.clips, alarm.flagged, alarm.patches)
        for alarm in false_alarms(detector.logits, detector.manifest.threshold, frames)
    ]
    beds = [
        samples
        for (kind, _, samples), (_, _, seen) in zip(found, frames, strict=True)
        if not kind.startswith("background") and not detector.find(seen).spans
    ]
    return beds, alarms


def cases(names: Sequence[str], count: int) -> Iterator[Case]:
    """Every kind of voice, in every kind of place; kinds that are not installed are left out."""
    sentences = {
        "espeak-ng": lambda: test_voices(min(count, 60)),
        "flite": flite_voices,
        "festival": lambda: festival_voices(SENTENCES),
    }
    words = {
        "espeak-ng": lambda: _espeak(_WORDS, "f2"),
        "flite": lambda: flite_voices(_WORDS),
        "festival": lambda: festival_voices(_WORDS),
    }
    for name in names:
        said = sentences[name]()
        for what, place, snrs_db in (
            ("a sentence", _anywhere, (-6.0, 0.0, 6.0, 12.0, 20.0)),
            ("a sentence in a room", _in_a_room, (0.0, 6.0, 12.0)),
            ("a sentence far away", _far_away, (0.0, 6.0)),
            ("a sentence that begins before the clip", _from_before, (6.0,)),
            ("a sentence that goes on after the clip", _beyond, (6.0,)),
        ):
            yield from (Case(what, name, said, place, snr_db) for snr_db in snrs_db if said)
        said = words[name]()
        for snr_db in (0.0, 6.0, 12.0, 20.0) if said else ():
            yield Case("one or two words", name, said, _anywhere, snr_db)
        if name == "espeak-ng":
            said = _espeak(SENTENCES, "whisper")
            yield from (
                Case("whispered, a variant that it was trained on", name, said, _anywhere, snr_db)
                for snr_db in (6.0, 12.0)
            )


def recall(detector: SpeechDetector, beds: list[FloatArray], case: Case, count: int) -> Heard:
    """What is found of one line, at levels of -60 to -20 dBFS."""
    rng = np.random.default_rng([8, round(10 * case.snr_db) + 1000])
    found, left_s = 0, 0.0
    for _ in range(count):
        voice = case.place(case.voices[rng.integers(len(case.voices))], rng)
        bed = at_rms(np.resize(beds[rng.integers(len(beds))], len(voice)), 10 ** rng.uniform(-3.0, -1.0))
        spoken = active(voice)
        frame = round(_FRAME_S * RATE_HZ)
        power = np.square(voice[: len(spoken) * frame].reshape(-1, frame)).mean(axis=1)[spoken].mean()
        scale = np.sqrt(float(np.square(bed).mean()) * 10 ** (case.snr_db / 10) / float(power))
        spans = detector.find(log_mel_db(np.asarray(bed + scale * voice, np.float32))).spans
        found += bool(spans)
        if spans:
            for start, stop in spans:
                spoken[int(start * 512 / frame) : int(((stop - 1) * 512 + 1024) / frame) + 1] = False
            left_s += float(spoken.sum()) * _FRAME_S
    return Heard(case.what, case.name, case.snr_db, count, found / count, left_s / max(1, found))


def _empty() -> FloatArray:
    return np.zeros(round(CLIP_S * RATE_HZ), np.float32)


def _anywhere(voice: FloatArray, rng: np.random.Generator) -> FloatArray:
    clip, voice = _empty(), voice[: round(6 * RATE_HZ)]
    at = int(rng.integers(0, len(clip) - len(voice) + 1))
    clip[at : at + len(voice)] = voice
    return clip


def _in_a_room(voice: FloatArray, rng: np.random.Generator) -> FloatArray:
    return reverberant(_anywhere(voice, rng), rng)


def _far_away(voice: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Twice through a room, nothing above 2.5 kHz: somebody behind a partition."""
    clip = reverberant(reverberant(_anywhere(voice, rng), rng), rng)
    spectrum = np.fft.rfft(clip)
    hz = np.fft.rfftfreq(len(clip), 1 / RATE_HZ)
    return np.fft.irfft(spectrum / (1 + (hz / 2500.0) ** 6), len(clip)).astype(np.float32)


def _from_before(voice: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Its last 0.7 to 1.5 s are within the clip."""
    clip, within = _empty(), round(rng.uniform(0.7, 1.5) * RATE_HZ)
    end = int(np.flatnonzero(np.abs(voice) > 0.02 * np.abs(voice).max())[-1]) + 1  # a sentence ends in silence
    tail = voice[max(0, end - within) : end]
    clip[: len(tail)] = tail
    return clip


def _beyond(voice: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Its first 0.7 to 1.5 s are within the clip."""
    clip, within = _empty(), round(rng.uniform(0.7, 1.5) * RATE_HZ)
    begin = int(np.flatnonzero(np.abs(voice) > 0.02 * np.abs(voice).max())[0])
    head = voice[begin : begin + within]
    clip[len(clip) - len(head) :] = head
    return clip


def _espeak(texts: Sequence[str], variant: str) -> list[FloatArray]:
    languages = voices_of(LANGUAGES, Split.TEST)
    return [
        speak(Utterance(f"{languages[k % len(languages)]}+{variant}", 150 + 10 * (k % 6), 30 + 5 * (k % 8), text))
        for k, text in enumerate((*texts, *texts, *texts))
    ]


def festival_voices(texts: Sequence[str]) -> list[FloatArray]:
    """Texts by festival's diphone and HTS voices; none where it is not installed."""
    if shutil.which("text2wave") is None:
        return []
    voices = []
    with tempfile.TemporaryDirectory() as directory:
        for voice in _FESTIVAL:
            for text in texts:
                wav = Path(directory) / "said.wav"
                command = ["text2wave", "-eval", f"(voice_{voice})", "-o", str(wav)]
                done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=60)
                if done.returncode or not wav.is_file():
                    break  # this voice is not installed
                samples, rate_hz = soundfile.read(wav, dtype="float32")
                voices.append(np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32))
    return voices


def _print(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts), flush=True)
    elif "share" in facts:
        print(f"taken for speech {facts['share']:6.3f}  of {facts['clips']:4} clips  {facts['what']}", flush=True)
    else:
        where = f"{facts['what']}, {facts['voices']}, {facts['snr_db']:+.0f} dB"
        print(f"found {facts['found']:6.3f}  left {facts['left_s']:5.2f} s  {where}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
