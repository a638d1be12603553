"""A supervised Conv1D network on 40 MFCC: the usual student project, which needs labelled faults."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training_hub.evaluation.baselines.features import level_removed, patches
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_COEFFICIENTS = 40
_STEPS = 150
_BATCH = 48
_LEARNING_RATE = 2e-3


def build() -> nn.Sequential:
    """Two convolutions over time, mean pooling, two dense layers."""
    return nn.Sequential(
        nn.Conv1d(_COEFFICIENTS, 64, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(64, 64, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1),
    )  # fmt: skip


class MfccNetScorer:
    """Logit of "faulty", mean over the clip's patches."""

    def __init__(self) -> None:
        self._net = build()
        self._mean: NDArray[np.float32] = np.zeros((1, _COEFFICIENTS, 1), np.float32)
        self._std: NDArray[np.float32] = np.ones((1, _COEFFICIENTS, 1), np.float32)

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Train on normal clips against labelled anomalies of other recordings."""
        torch.set_num_threads(1)
        torch.manual_seed(context.seed)
        cut = [(_mfcc_patches(clip), float(clip in context.anomalies)) for clip in (*normals, *context.anomalies)]
        values = np.concatenate([patch for patch, _ in cut])
        self._mean = values.mean(axis=(0, 2), keepdims=True)
        self._std = np.maximum(values.std(axis=(0, 2), keepdims=True), np.float32(1e-3))
        inputs = torch.from_numpy((values - self._mean) / self._std)
        labels = torch.from_numpy(np.concatenate([np.full(len(patch), label, np.float32) for patch, label in cut]))
        share = max(float(labels.mean()), 1e-3)
        weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1.0 - share)).double()
        self._net = build()
        generator = torch.Generator().manual_seed(context.seed)
        optimiser = torch.optim.Adam(self._net.parameters(), lr=_LEARNING_RATE)
        for _ in range(_STEPS):
            rows = torch.multinomial(weights, _BATCH, replacement=True, generator=generator)
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(self._net(inputs[rows])[:, 0], labels[rows]).backward()
            optimiser.step()

    def score(self, clip: HeardClip) -> float:
        """Mean logit."""
        with torch.no_grad():
            return float(self._net(torch.from_numpy((_mfcc_patches(clip) - self._mean) / self._std)).mean())


def _mfcc_patches(clip: HeardClip) -> NDArray[np.float32]:
    """`[n, 40, 64]`: the cosine transform of the log-mel frames."""
    return np.ascontiguousarray((patches(level_removed(clip)) @ _cosines()).transpose(0, 2, 1))


def _cosines() -> NDArray[np.float32]:
    """The orthonormal DCT-II of 128 bands, first 40 coefficients, `[128, 40]`."""
    places = (np.arange(128)[:, None] + 0.5) * np.arange(_COEFFICIENTS)[None] * np.pi / 128
    scale = np.where(np.arange(_COEFFICIENTS) == 0, np.sqrt(1 / 128), np.sqrt(2 / 128))
    return (np.cos(places) * scale).astype(np.float32)
