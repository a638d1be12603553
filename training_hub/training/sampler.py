"""Draws training batches from a corpus, on the device that trains."""

import torch

from training_hub.training.dataset import Corpus


class Sampler:
    """Patches at random: a label, one of its recordings by length, a place in it.

    Every label is as likely as any other, so that a machine with few recordings is not drowned; background recordings
    count as one label.
    """

    def __init__(self, corpus: Corpus, patch_frames: int, device: torch.device) -> None:
        self._frames = torch.from_numpy(corpus.frames).to(device)
        self._starts = torch.from_numpy(corpus.starts)
        self._places = torch.from_numpy(corpus.lengths - patch_frames + 1)
        self._labels = torch.from_numpy(corpus.labels)
        _, member, count = torch.unique(self._labels, return_inverse=True, return_counts=True)
        per_label = torch.zeros(len(count), dtype=torch.float64).scatter_add_(0, member, self._places.double())
        self._chance = self._places.double() / per_label[member]
        self._grid = torch.arange(patch_frames)
        self._device = device

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches float32 `[count, patch_frames, bands]` in dB on the device, and their labels `[count]`."""
        chosen = torch.multinomial(self._chance, count, replacement=True, generator=generator)
        places = (torch.rand(count, generator=generator, dtype=torch.float64) * self._places[chosen]).long()
        rows = (self._starts[chosen] + places)[:, None] + self._grid
        return self._frames[rows.to(self._device)].float(), self._labels[chosen].to(self._device)
