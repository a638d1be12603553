"""Draws training batches from a corpus, on the device that trains."""

import torch

from training_hub.training.dataset import Corpus


class Sampler:
    """Patches at random: a machine, one of its conditions, a recording by length, a place in it.

    Machines are as likely as their weight, however many recordings there are of them. All background is one machine.

    Args:
        corpus: What to draw from.
        patch_frames: Frames of a patch.
        device: Where patches are wanted.
        weights: How likely each label is, `[labels]`; all alike if not given.
    """

    def __init__(
        self, corpus: Corpus, patch_frames: int, device: torch.device, weights: torch.Tensor | None = None
    ) -> None:
        self._frames = torch.from_numpy(corpus.frames).to(device)
        self._starts = torch.from_numpy(corpus.starts)
        self._places = torch.from_numpy(corpus.lengths - patch_frames + 1)
        self._classes = torch.from_numpy(corpus.classes)
        labels = torch.from_numpy(corpus.labels)
        self._chance = self._places.double() / _sum_by(self._classes, self._places.double())
        self._chance /= _sum_by(labels, self._chance)  # as many as the label has classes
        if weights is not None:
            self._chance *= weights.double()[labels]
        self._grid = torch.arange(patch_frames)
        self._device = device

    def draw(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches float32 `[count, patch_frames, bands]` in dB on the device, and their classes `[count]`."""
        chosen = torch.multinomial(self._chance, count, replacement=True, generator=generator)
        places = (torch.rand(count, generator=generator, dtype=torch.float64) * self._places[chosen]).long()
        rows = (self._starts[chosen] + places)[:, None] + self._grid
        return self._frames[rows.to(self._device)].float(), self._classes[chosen].to(self._device)


def _sum_by(groups: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """For every item, the sum of the values of its group."""
    _, member = torch.unique(groups, return_inverse=True)
    return torch.zeros(int(member.max()) + 1, dtype=values.dtype).scatter_add_(0, member, values)[member]
