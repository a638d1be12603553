"""The encoder in PyTorch, for training, and its weights as plain arrays."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from training_hub.training.architecture import Architecture

BATCH_NORM_EPSILON = 1e-3
_BATCH_NORM_MOMENTUM = 0.02


class TorchNet:
    """Patches in, embedding and logits out.

    Args:
        architecture: What to build.
        labels: Number of logits.
        device: Where it lives.
    """

    def __init__(self, architecture: Architecture, labels: int, device: torch.device) -> None:
        nn = torch.nn
        self.architecture = architecture
        stem, side = architecture.stem_channels, architecture.stem_kernel
        layers = [nn.Conv2d(1, stem, side, 2, side // 2 - 1, bias=False), *_norm(stem)]
        channels = stem
        for block in architecture.blocks:
            kernel, stride = block.kernel, block.stride
            layers += [nn.Conv2d(channels, channels, kernel, stride, 1, groups=channels, bias=False), *_norm(channels)]
            layers += [nn.Conv2d(channels, block.channels, 1, bias=False), *_norm(block.channels)]
            channels = block.channels
        self.module = nn.ModuleDict(
            {
                "trunk": nn.Sequential(*layers),
                "embedding": nn.Linear(architecture.flat, architecture.embedding),
                "logits": nn.Linear(architecture.embedding, labels),
            }
        ).to(device, memory_format=torch.channels_last)

    def __call__(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`[n, frames, bands]`, standardised, to embeddings `[n, 128]` and logits `[n, labels]`."""
        x = patches[:, None].contiguous(memory_format=torch.channels_last)
        x = self.module["trunk"](x)  # [n, channels, frames, bands]
        x = torch.cat([x.mean(2), x.amax(2)], 1)  # [n, 2 channels, bands]
        embedding = self.module["embedding"](x.transpose(1, 2).flatten(1))  # bands outermost, as Keras flattens
        return embedding, self.module["logits"](embedding)

    def keras_weights(self) -> list[NDArray[np.float32]]:
        """The weights in the order and layout of `keras_net.build_keras_net`."""
        weights: list[NDArray[np.float32]] = []
        for layer in self._weighted():
            if isinstance(layer, torch.nn.BatchNorm2d):
                weights += [_array(t) for t in (layer.weight, layer.bias, layer.running_mean, layer.running_var)]
            elif isinstance(layer, torch.nn.Linear):
                weights += [_array(layer.weight).T.copy(), _array(layer.bias)]
            else:  # torch [out, in / groups, h, w]; Keras [h, w, in, out], depthwise [h, w, channels, 1]
                kernel = _array(layer.weight)
                axes = (2, 3, 0, 1) if layer.groups > 1 else (2, 3, 1, 0)
                weights.append(np.ascontiguousarray(kernel.transpose(axes)))
        return weights

    def _weighted(self) -> Iterator[torch.nn.Module]:
        for layer in (*self.module["trunk"], self.module["embedding"], self.module["logits"]):
            if not isinstance(layer, torch.nn.ReLU):
                yield layer


def _norm(channels: int) -> list[torch.nn.Module]:
    norm = torch.nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=_BATCH_NORM_MOMENTUM)
    return [norm, torch.nn.ReLU(inplace=True)]


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().contiguous().numpy()
    return array
