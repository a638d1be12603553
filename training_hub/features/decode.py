"""From a clip's bytes to its log-mel frames. Pure, and run wherever there is a free CPU."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.arrays import read_npz
from edge_agent.inference.errors import BundleError
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings
from training_hub.features.errors import FeatureError
from training_hub.training.errors import TrainingError
from training_hub.training.recorded import decode_mono

FloatArray = NDArray[np.float32]

AUDIO, LOG_MEL = "audio", "log_mel"
_MOST_NPZ_BYTES = 64 << 20


@dataclass(frozen=True)
class ClipBytes:
    """A clip on its way to be heard.

    Attributes:
        sha256: Of the content.
        kind: `audio`, or `log_mel`: an `.npz` of a site that keeps no audio.
        content: Its file.
    """

    sha256: str
    kind: str
    content: bytes


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """A clip's frames, or why there are none.

    Attributes:
        sha256: Of the clip.
        log_mel_db: `[frames, 128]`, dB, of the whole clip, what was before and after the window included.
        flaw: What is wrong with the clip, where something is.
    """

    sha256: str
    log_mel_db: FloatArray | None
    flaw: str = ""


def frames_of(clip: ClipBytes) -> ClipFrames:
    """Frames of a clip; a clip that holds none is told, not raised, for others go on."""
    try:
        return ClipFrames(clip.sha256, decode_frames(clip.content, clip.kind, name=f"clip {clip.sha256[:12]}"))
    except FeatureError as error:
        return ClipFrames(clip.sha256, None, str(error))


def decode_frames(content: bytes, kind: str, *, name: str, settings: SignalSettings | None = None) -> FloatArray:
    """Frames `[frames, 128]` of a clip's file, dB.

    Raises:
        FeatureError: It is neither sound nor log-mel frames, or too short for one frame.
    """
    settings = settings or SignalSettings()
    if kind == LOG_MEL:
        frames = _kept_frames(content, name)
    else:
        try:
            samples = decode_mono(io.BytesIO(content), settings.sample_rate_hz, name=name)
        except TrainingError as error:
            raise FeatureError(str(error)) from error
        if not np.isfinite(samples).all():
            raise FeatureError(f"{name}: holds NaN or infinity; delete the clip")
        frames = log_mel_db(samples, settings)
    if not len(frames):
        raise FeatureError(f"{name}: too short for one frame; delete the clip")
    return frames


def _kept_frames(content: bytes, name: str) -> FloatArray:
    try:
        arrays = read_npz(content, name=name, max_bytes=_MOST_NPZ_BYTES)
    except BundleError as error:
        raise FeatureError(str(error)) from error
    found = arrays.get("roll_db")
    if found is None:
        found = arrays.get("log_mel_db")
        if found is not None and found.ndim == 3 and len(found) == 1:
            found = found[0]
    bands = SignalSettings().n_mels
    if found is None or found.ndim != 2 or found.shape[1] != bands or found.dtype.kind != "f":
        raise FeatureError(f"{name}: no log-mel clip; its file needs log_mel_db [1, frames, {bands}]")
    frames = np.ascontiguousarray(found, np.float32)
    if not np.isfinite(frames).all():
        raise FeatureError(f"{name}: holds NaN or infinity; delete the clip")
    return frames
