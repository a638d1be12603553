"""A small CNN that learns to tell machine ids; a clip that it cannot place is abnormal."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training_hub.evaluation.baselines.features import level_removed, patches
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_STEPS = 120
_BATCH = 48
_LEARNING_RATE = 2e-3
_SCALE_DB = 10.0


def build(classes: int) -> nn.Sequential:
    """Four convolutions with stride 2, mean pooling, one dense layer."""
    layers: list[nn.Module] = []
    for before, after in ((1, 12), (12, 24), (24, 48), (48, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


class SoftmaxConfidenceScorer:
    """Negative log of the confidence in the machine's own id (D. Hendrycks, K. Gimpel 2017; R. Giri et al. 2020)."""

    def __init__(self) -> None:
        self._net: nn.Sequential = build(2)

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Train on the machine's clips, class 0, against those of the other machines."""
        torch.set_num_threads(1)
        torch.manual_seed(context.seed)
        others = sorted({clip.clip.machine_id for clip in context.siblings})
        sounds = [(clip, 0) for clip in normals]
        sounds += [(clip, 1 + others.index(clip.clip.machine_id)) for clip in context.siblings]
        cut = [(_patches(clip), label) for clip, label in sounds]
        values = torch.from_numpy(np.concatenate([patch for patch, _ in cut]))
        labels = torch.from_numpy(np.concatenate([np.full(len(patch), label) for patch, label in cut]))
        classes = 1 + len(others)
        self._net = build(classes)
        counts = torch.bincount(labels, minlength=classes).double()
        generator = torch.Generator().manual_seed(context.seed)
        optimiser = torch.optim.Adam(self._net.parameters(), lr=_LEARNING_RATE)
        self._net.train()
        for _ in range(_STEPS):  # every class is drawn as often as any other
            rows = torch.multinomial((1.0 / counts)[labels], _BATCH, replacement=True, generator=generator)
            optimiser.zero_grad()
            nn.functional.cross_entropy(self._net(values[rows]), labels[rows]).backward()
            optimiser.step()
        self._net.eval()

    def score(self, clip: HeardClip) -> float:
        """Negative mean log-probability of the machine's own id."""
        with torch.no_grad():
            return -float(nn.functional.log_softmax(self._net(torch.from_numpy(_patches(clip))), 1)[:, 0].mean())


def _patches(clip: HeardClip) -> NDArray[np.float32]:
    return patches(level_removed(clip))[:, None] / np.float32(_SCALE_DB)
