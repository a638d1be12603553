"""What a catalogued clip holds: samples, log-mel frames, a picture, a file that a browser plays."""

import io
import struct
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_agent.clips.picture import before_after_png
from edge_agent.signal.logmel import log_mel_db
from training_hub.features.decode import decode_frames
from training_hub.features.errors import FeatureError
from training_hub.sounds.cut import as_float
from training_hub.sounds.decode import SAMPLE_RATE_HZ
from training_hub.sounds.errors import Refusal, SoundError

MAX_CLIP_S = 900
"""Longest clip that is read; an alarm's with what was before and after is some 70 s."""
_MIN_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class Window:
    """Where a clip's window lies in it, seconds."""

    offset_s: float
    length_s: float


def samples_of(content: bytes, *, name: str) -> NDArray[np.int16]:
    """Samples `[n]` at 16 kHz of a clip's FLAC file.

    Raises:
        SoundError: It is no such file, or longer than a clip can be.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if (file.format, file.samplerate, file.channels) != ("FLAC", SAMPLE_RATE_HZ, 1):
                raise SoundError(Refusal.FORMAT, f"clip {name} is no mono FLAC file at {SAMPLE_RATE_HZ} Hz")
            if file.frames > MAX_CLIP_S * SAMPLE_RATE_HZ:
                raise SoundError(Refusal.LIMITS, f"clip {name} is longer than {MAX_CLIP_S} s")
            samples: NDArray[np.int16] = file.read(dtype="int16")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise SoundError(Refusal.DAMAGED, f"clip {name} cannot be decoded ({error}); delete it") from error
    return samples


def frames_of(content: bytes, kind: str, *, name: str) -> NDArray[np.float32]:
    """Log-mel frames `[frames, 128]`, dB, of a whole clip.

    Raises:
        SoundError: It cannot be read, or is too short for a frame.
    """
    if kind == "audio":
        samples = samples_of(content, name=name)
        if len(samples) < _MIN_SAMPLES:
            raise SoundError(Refusal.LIMITS, f"clip {name} holds {len(samples)} samples; too few for a spectrogram")
        return log_mel_db(as_float(samples))
    try:
        return decode_frames(content, kind, name=f"clip {name}")
    except FeatureError as error:
        raise SoundError(Refusal.DAMAGED, f"{error}; delete it") from error


def window_samples(content: bytes, window: Window, *, name: str) -> NDArray[np.float32]:
    """The window's samples of an audio clip, full scale 1.0.

    Raises:
        SoundError: It cannot be read.
    """
    samples = samples_of(content, name=name)
    start = min(round(window.offset_s * SAMPLE_RATE_HZ), max(0, len(samples) - _MIN_SAMPLES))
    return as_float(samples[start : start + round(window.length_s * SAMPLE_RATE_HZ)])


def picture_of(frames_db: NDArray[np.float32]) -> bytes:
    """A spectrogram as PNG: one pixel per frame and band, low bands at the bottom, 60 dB from black to white."""
    return before_after_png(None, frames_db)


def wav_of(content: bytes, *, name: str) -> bytes:
    """A clip's FLAC file as WAV, for browsers that play no FLAC.

    Raises:
        SoundError: It cannot be read.
    """
    data = samples_of(content, name=name).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1,
                       SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 16)  # fmt: skip
    return head + struct.pack("<4sI", b"data", len(data)) + data
