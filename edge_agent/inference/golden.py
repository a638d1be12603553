"""The self-test of a bundle: a short recording and what the machine that made the bundle computed from it.

Bits differ between kernels (int8 outputs by up to 3 steps between XNNPACK and the built-in kernels), so outputs are
compared within the manifest's tolerance, and decisions exactly wherever their margin is wider than it.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.arrays import require
from edge_agent.inference.encoder import Encoded, Encoder
from edge_agent.inference.errors import BundleError
from edge_agent.inference.manifest import Manifest
from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings

FEATURE_TOLERANCE_DB = 0.01
SCORE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Golden:
    """The recording and its results.

    Attributes:
        audio: int16 `[n]`, 16 kHz.
        log_mel_db: `[frames, bands]`.
        encoded: Of every patch of the recording.
        scores: `[patches]`, see `patch_scores`.
    """

    audio: NDArray[np.int16]
    log_mel_db: NDArray[np.float32]
    encoded: Encoded
    scores: NDArray[np.float32]


def patches_of(features: NDArray[np.float32], settings: SignalSettings) -> NDArray[np.float32]:
    """`[frames, bands]` cut into patches `[n, patch_frames, bands]` on the stream's grid."""
    starts = [p * settings.patch_hop_frames for p in settings.patches_within(range(len(features)))]
    if not starts:
        return np.empty((0, settings.patch_frames, features.shape[1]), np.float32)
    return np.stack([features[start : start + settings.patch_frames] for start in starts])


def patch_scores(encoded: Encoded) -> NDArray[np.float32]:
    """One number per patch that any model has: its reconstruction error, or its cosine distance from the mean patch."""
    if encoded.errors is not None:
        return encoded.errors
    rows = encoded.embeddings if encoded.embeddings.shape[1] else encoded.logits
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    centre = unit.mean(axis=0)
    distance: NDArray[np.float32] = 1.0 - unit @ (centre / max(float(np.linalg.norm(centre)), 1e-12))
    return distance.astype(np.float32)


def compute(audio: NDArray[np.int16], manifest: Manifest, encoder: Encoder) -> Golden:
    """What this machine makes of a recording; the export writes it, the self-test compares it."""
    features = log_mel_db(audio.astype(np.float32) / np.float32(32768.0), manifest.signal)
    encoded = encoder.encode(patches_of(features, manifest.signal))
    return Golden(audio, features, encoded, patch_scores(encoded))


def to_arrays(golden: Golden) -> dict[str, NDArray[Any]]:
    """The arrays of `golden.npz`."""
    arrays: dict[str, NDArray[Any]] = {
        "audio": golden.audio,
        "log_mel_db": golden.log_mel_db,
        "embeddings": golden.encoded.embeddings,
        "logits": golden.encoded.logits,
        "scores": golden.scores,
    }
    if golden.encoded.errors is not None:
        arrays["errors"] = golden.encoded.errors
    return arrays


def parse(arrays: MappingProxyType[str, NDArray[Any]], *, name: str) -> Golden:
    """Read `golden.npz`.

    Raises:
        BundleError: An array is missing or has another type or shape.
    """
    audio = require(arrays, "audio", name=name, dtype="int16", shape=(None,))
    features = require(arrays, "log_mel_db", name=name, dtype="float32", shape=(None, None))
    embeddings = require(arrays, "embeddings", name=name, dtype="float32", shape=(None, None))
    count = embeddings.shape[0]
    logits = require(arrays, "logits", name=name, dtype="float32", shape=(count, None))
    scores = require(arrays, "scores", name=name, dtype="float32", shape=(count,))
    errors = None
    if "errors" in arrays:
        errors = require(arrays, "errors", name=name, dtype="float32", shape=(count,))
    return Golden(audio, features, Encoded(embeddings, logits, errors), scores)


def check(expected: Golden, manifest: Manifest, encoder: Encoder, *, name: str) -> None:
    """Compare this machine's results with the bundle's.

    Features are compared first; the model is then run on the bundle's own features, so that a rounding of the input
    does not count against it; last the whole chain's decisions.

    Raises:
        BundleError: Features, outputs or decisions differ by more than the tolerance.
    """
    computed = compute(expected.audio, manifest, encoder)
    if computed.log_mel_db.shape != expected.log_mel_db.shape:
        raise BundleError(f"{name}: features {computed.log_mel_db.shape}, expected {expected.log_mel_db.shape}")
    off_db = float(np.abs(computed.log_mel_db - expected.log_mel_db).max(initial=0.0))
    if off_db > FEATURE_TOLERANCE_DB:
        raise BundleError(f"{name}: features differ by {off_db:.4f} dB; this build computes another log-mel")
    encoded = encoder.encode(patches_of(expected.log_mel_db, manifest.signal))
    steps = manifest.golden_tolerance_lsb
    for semantics, got, want in (
        ("embedding", encoded.embeddings, expected.encoded.embeddings),
        ("logits", encoded.logits, expected.encoded.logits),
    ):
        tolerance = steps * encoder.lsb(semantics) + 1e-4
        if got.shape != want.shape or float(np.abs(got - want).max(initial=0.0)) > tolerance:
            raise BundleError(f"{name}: {semantics} differs by more than {steps} steps; the runtime computes otherwise")
    if (encoded.errors is None) != (expected.encoded.errors is None):
        raise BundleError(f"{name}: reconstruction errors are missing on one side; export the bundle again")
    if not np.allclose(computed.scores, expected.scores, rtol=SCORE_TOLERANCE, atol=SCORE_TOLERANCE):
        raise BundleError(f"{name}: scores differ by more than {SCORE_TOLERANCE}; the runtime computes otherwise")
    _check_decisions(computed.encoded.logits, expected.encoded.logits, steps * encoder.lsb("logits"), name)


def _check_decisions(got: NDArray[np.float32], want: NDArray[np.float32], tolerance: float, name: str) -> None:
    if want.shape[1] < 2:
        return
    ordered = np.sort(want, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2.0 * tolerance
    if (got.argmax(axis=1) != want.argmax(axis=1))[clear].any():
        raise BundleError(f"{name}: another machine is recognised than the bundle says; the runtime computes otherwise")
