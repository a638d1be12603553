"""From a sound of any length to what the detectors take: windows of ten seconds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training_hub.sounds.decode import SAMPLE_RATE_HZ, WINDOW_S, WINDOW_SAMPLES, Decoded

MIN_S = 0.5
"""Least sound that says anything; as the agent's `ScorePolicy`."""
_LEAST_REST = 0.8


@dataclass(frozen=True, slots=True)
class Fitted:
    """One window, and what was done to get it.

    Attributes:
        samples: `[160000]` float32.
        heard_s: How much of it is the sound itself, once.
        done: In words.
    """

    samples: NDArray[np.float32]
    heard_s: float
    done: tuple[str, ...]


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Full scale 1.0, as the agent hears its clips."""
    return samples.astype(np.float32) / np.float32(32_768)


def fit_window(decoded: Decoded, *, start_s: float = 0.0) -> Fitted:
    """One window of a sound: its first ten seconds from where decoding began, or all of it mirrored until it fills one.

    Silence would be padding that no machine sounds like; a mirrored sound has the same spectrum and no seam.

    Args:
        decoded: At least `MIN_S` of sound.
        start_s: Where decoding began, for the words.
    """
    facts = decoded.facts
    done = []
    if facts.channels > 1:
        done.append(f"mean of {facts.channels} channels")
    if facts.rate_hz != SAMPLE_RATE_HZ:
        done.append(f"resampled from {facts.rate_hz} to {SAMPLE_RATE_HZ} Hz")
    samples = decoded.samples[:WINDOW_SAMPLES]
    heard_s = len(samples) / SAMPLE_RATE_HZ
    if len(samples) < WINDOW_SAMPLES:
        samples = np.pad(samples, (0, WINDOW_SAMPLES - len(samples)), mode="symmetric")
        done.append(f"{heard_s:.2f} s of sound mirrored until they fill {WINDOW_S:.0f} s")
    elif start_s > 0 or facts.duration_s > WINDOW_S + 0.01:
        done.append(f"cut to {start_s:.1f}-{start_s + WINDOW_S:.1f} s of {facts.duration_s:.1f} s")
    return Fitted(as_float(samples), heard_s, tuple(done))


def cut_clips(samples: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Windows of ten seconds one after another; a rest of eight or more is one too, a shorter sound stays as it is.

    >>> [len(part) for part in cut_clips(np.zeros(400_000, np.int16))]
    [160000, 160000]
    >>> [len(part) for part in cut_clips(np.zeros(50_000, np.int16))]
    [50000]
    """
    if len(samples) <= WINDOW_SAMPLES:
        return [samples]
    parts = [samples[at : at + WINDOW_SAMPLES] for at in range(0, len(samples), WINDOW_SAMPLES)]
    return [part for part in parts if len(part) >= _LEAST_REST * WINDOW_SAMPLES]
