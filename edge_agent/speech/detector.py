"""The speech detector: where in a recording somebody speaks."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.errors import BundleError
from edge_agent.inference.runtime import TFLiteModel
from edge_agent.signal.settings import SignalSettings
from edge_agent.speech.errors import SpeechError
from edge_agent.speech.features import PATCH_FRAMES, patch_starts, speech_patches
from edge_agent.speech.manifest import MANIFEST_NAME, MAX_MODEL_BYTES, MODEL_NAME, SpeechManifest, parse_manifest

FloatArray = NDArray[np.float32]

_NEAR = 3.0
"""Logits below the threshold: halves the speech that masking leaves at 0 dB and below, for 0.3 s more of silence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in a recording.

    Attributes:
        highest: Highest probability of speech of any two seconds of it, 0 to 1; not calibrated on people.
        spans: Frames `[start, stop)` in which somebody may speak, in order, apart from each other.
    """

    highest: float
    spans: tuple[tuple[int, int], ...]


class SpeechDetector:
    """Finds speech. For one thread; make one with `load_detector`.

    Args:
        model: The net.
        manifest: What it is.
    """

    def __init__(self, model: TFLiteModel, manifest: SpeechManifest) -> None:
        self._model = model
        self.manifest = manifest

    def logits(self, log_mel_db: FloatArray) -> FloatArray:
        """The logit of speech of every patch of `[frames, 128]`; see `features.patch_starts` for where they lie."""
        (found,) = self._model.run(speech_patches(log_mel_db))
        return found.reshape(-1)

    def find(self, log_mel_db: FloatArray) -> Finding:
        """Where somebody may speak in `[frames, 128]`, dB."""
        logits = self.logits(log_mel_db)
        if not len(logits):
            return Finding(0.0, ())
        spans = spans_of(logits, len(log_mel_db), self.manifest.threshold)
        return Finding(float(1.0 / (1.0 + np.exp(-np.clip(logits.max(), -50.0, 50.0)))), spans)


def spans_of(logits: FloatArray, frames: int, threshold: float) -> tuple[tuple[int, int], ...]:
    """Where somebody may speak, frames `[start, stop)` each, in order and apart from each other.

    Where one patch reaches the threshold, those beside it that come near it belong to the same speech: hysteresis, as
    J. Canny finds edges (1986). Somebody who was heard goes on speaking; a clip without speech has no more for it.

    Args:
        logits: Of every patch of the recording.
        frames: Length of the recording.
        threshold: Logit from which a patch counts as speech by itself.
    """
    near = logits >= threshold - _NEAR
    heard = logits >= threshold
    spans: list[tuple[int, int]] = []
    starts = patch_starts(frames)
    patch = 0
    while patch < len(logits):
        first = patch
        while patch < len(logits) and near[patch]:
            patch += 1
        if heard[first:patch].any():
            start = max(0, min(starts[first], frames - PATCH_FRAMES))
            stop = min(frames, max(0, min(starts[patch - 1], frames - PATCH_FRAMES)) + PATCH_FRAMES)
            if spans and start <= spans[-1][1]:
                start = spans.pop()[0]
            spans.append((start, stop))
        patch += 1
    return tuple(spans)


def load_detector(directory: Path) -> SpeechDetector:
    """Open a detector, verifying its hash, the signal settings it was trained for, and its tensors.

    Raises:
        SpeechError: Any flaw; the message names the file and the mend.
    """
    path = directory / MODEL_NAME
    try:
        manifest = parse_manifest((directory / MANIFEST_NAME).read_bytes(), name=str(directory / MANIFEST_NAME))
        with path.open("rb") as file:
            content = file.read(MAX_MODEL_BYTES + 1)
    except OSError as error:
        raise SpeechError(
            f'{error.filename}: {error.strerror}; install the detector, or set clips.speech = "off"'
        ) from error
    if hashlib.sha256(content).hexdigest() != manifest.model_sha256:
        raise SpeechError(f"{path}: its SHA-256 is not the one in {MANIFEST_NAME}; install the detector again")
    if manifest.signal_sha256 != SignalSettings().hash:
        raise SpeechError(f"{path}: trained on other signal settings than this agent computes; train it again")
    try:
        model = TFLiteModel(content, name=str(path))
    except BundleError as error:
        raise SpeechError(str(error)) from error
    if (model.input.size, [spec.size for spec in model.outputs]) != (PATCH_FRAMES * SignalSettings().n_mels, [1]):
        raise SpeechError(f"{path}: takes {model.input.shape} and gives {len(model.outputs)} outputs; train it again")
    return SpeechDetector(model, manifest)
