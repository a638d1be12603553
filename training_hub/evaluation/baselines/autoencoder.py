"""The DCASE baseline autoencoder: 640-128-128-128-128-8-128-128-128-128-640 on five stacked frames."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training_hub.evaluation.baselines.features import level_removed, stacked_frames
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

WIDTHS = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
_BATCH = 512
_EPOCHS = 30
_TUNING_EPOCHS = 10
_FRAME_STEP = 2
_LEARNING_RATE = 1e-3


def build() -> nn.Sequential:
    """Dense layers with batch norm and ReLU (Y. Koizumi et al., DCASE 2020 task 2), none on the last."""
    layers: list[nn.Module] = []
    for k, (width, following) in enumerate(pairwise(WIDTHS)):
        layers.append(nn.Linear(width, following))
        if k < len(WIDTHS) - 2:
            layers += [nn.BatchNorm1d(following), nn.ReLU()]
    return nn.Sequential(*layers)


class AutoencoderScorer:
    """Mean squared error of rebuilding five stacked frames, level removed.

    Where there are other machines of the type it is trained on them first, once, and then tuned on the machine's own
    clips, which is more than the original does with few clips.
    """

    def __init__(self) -> None:
        self._net: nn.Sequential = build()
        self._mean, self._std = 0.0, 1.0
        self._pretrained: tuple[tuple[str, ...], dict[str, Any], float, float] | None = None

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Train, or tune what was trained on the same other machines before."""
        torch.set_num_threads(1)
        vectors = _vectors(normals)
        if not context.siblings:
            self._start(vectors, context.seed)
            self._train(vectors, _EPOCHS, context.seed)
            return
        names = tuple(clip.clip.name for clip in context.siblings)
        if self._pretrained is None or self._pretrained[0] != names:
            others = _vectors(context.siblings)
            self._start(others, context.seed)
            self._train(others, _EPOCHS, context.seed)
            state = {key: value.clone() for key, value in self._net.state_dict().items()}
            self._pretrained = (names, state, self._mean, self._std)
        _, state, self._mean, self._std = self._pretrained
        self._net.load_state_dict(state)
        self._train(vectors, _TUNING_EPOCHS, context.seed)

    def score(self, clip: HeardClip) -> float:
        """Mean squared error, in units of the training data's variance."""
        with torch.no_grad():
            values = torch.from_numpy((stacked_frames(level_removed(clip)) - self._mean) / self._std)
            return float(torch.mean((self._net(values) - values) ** 2))

    def _start(self, vectors: NDArray[np.float32], seed: int) -> None:
        torch.manual_seed(seed)
        self._net = build()
        self._mean, self._std = float(vectors.mean()), max(float(vectors.std()), 1e-6)

    def _train(self, vectors: NDArray[np.float32], epochs: int, seed: int) -> None:
        values = torch.from_numpy((vectors - self._mean) / self._std)
        generator = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam(self._net.parameters(), lr=_LEARNING_RATE)
        self._net.train()
        for _ in range(epochs):
            for rows in torch.randperm(len(values), generator=generator).split(_BATCH):
                if len(rows) < 2:  # batch norm needs two
                    continue
                batch = values[rows]
                optimiser.zero_grad()
                nn.functional.mse_loss(self._net(batch), batch).backward()
                optimiser.step()
        self._net.eval()


def _vectors(clips: Sequence[HeardClip]) -> NDArray[np.float32]:
    return np.concatenate([stacked_frames(level_removed(clip))[::_FRAME_STEP] for clip in clips])
