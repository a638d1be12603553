"""A second task that keeps the embedding honest: to say how the machine sounds, without what was mixed in.

Telling machines apart needs a few features of each; whatever else a spectrum holds is thrown away, and with it what a
fault would change. A linear map of the embedding must therefore give the shape of the clean patch's mean spectrum and
of its fluctuation, though the net hears it amid noise and with stripes blanked (as in a denoising autoencoder,
P. Vincent et al., ICML 2008, with a summary in place of the input). The map is not exported.
"""

import math

import torch

_SPECTRUM_SHAPES = 48
_TEXTURE_SHAPES = 16
_SMALLEST = 1e-3


def describe(patches: torch.Tensor) -> torch.Tensor:
    """Cosine coefficients over bands of the mean spectrum and of the mean step from frame to frame.

    Args:
        patches: `[n, frames, bands]`, dB.

    Returns:
        `[n, 64]`; the same at any level.
    """
    spectrum = patches.mean(1)
    texture = torch.log(patches.diff(dim=1).abs().mean(1) + 0.1)
    return torch.cat(
        [
            spectrum @ _cosines(spectrum.shape[1], 1, _SPECTRUM_SHAPES, patches.device),
            texture @ _cosines(texture.shape[1], 0, _TEXTURE_SHAPES, patches.device),
        ],
        1,
    )


class Describer:
    """The linear map and what it is asked for.

    Args:
        embedding: Size of the embedding.
        patches: Typical clean patches `[n, frames, bands]`, dB, by which every coefficient is scaled.
        generator: For the first weights.
    """

    def __init__(self, embedding: int, patches: torch.Tensor, *, generator: torch.Generator) -> None:
        wanted = describe(patches)
        self._mean = wanted.mean(0)
        self._deviation = wanted.std(0).clamp_min(_SMALLEST)
        first = torch.randn(embedding, wanted.shape[1], generator=generator) / math.sqrt(embedding)
        self.weight = torch.nn.Parameter(first.to(patches.device))

    def loss(self, embeddings: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        """Mean square error `[n]` of the description, 1 for one that says nothing.

        Args:
            embeddings: `[n, size]`; only their directions count, as for the agent's detector.
            clean: `[n, frames, bands]`, dB, what the machine alone sounds like.
        """
        wanted = ((describe(clean) - self._mean) / self._deviation).clamp(-4.0, 4.0)
        said = math.sqrt(embeddings.shape[1]) * torch.nn.functional.normalize(embeddings) @ self.weight
        return (said - wanted).square().mean(1)


def _cosines(bands: int, first: int, count: int, device: torch.device) -> torch.Tensor:
    """Cosines `[bands, count]` of the orders from `first` on; order 0 is the mean."""
    orders = torch.arange(first, first + count, device=device)
    places = (torch.arange(bands, device=device) + 0.5) / bands
    return torch.cos(math.pi * orders * places[:, None]) / bands
