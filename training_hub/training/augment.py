"""Augmentation of log-mel patches: what may differ between two recordings of one healthy machine.

Everything is drawn from one generator, so a step's batch depends on the seed and the step alone.
"""

import math
from dataclasses import dataclass

import torch

_TO_NEPER = math.log(10.0) / 10.0


@dataclass(frozen=True)
class AugmentSettings:
    """How strongly to change patches; a chance is per patch.

    Attributes:
        eq_db: Standard deviation of the first term of a random smooth equaliser curve (position, microphone).
        noise_chance: How often background is added.
        snr_db: Range of the signal-to-noise ratio, uniform in dB.
        background_chance: How often a patch is nothing but background.
        mixup_chance: How often two machines are mixed.
        mask_chance: How often a band of frequencies, and of time, is blanked.
        mask_bands: Widest blanked band, mel bands.
        mask_frames: Longest blanked time, frames.
        gain_db: Standard deviation of the gain before noise of a fixed floor is added.
        floor_db: Level of that floor below the patch: a microphone's own noise.
    """

    eq_db: float = 1.5
    noise_chance: float = 0.6
    snr_db: tuple[float, float] = (-6.0, 30.0)
    background_chance: float = 0.08
    mixup_chance: float = 0.3
    mask_chance: float = 0.3
    mask_bands: int = 12
    mask_frames: int = 10
    gain_db: float = 6.0
    floor_db: float = 45.0


@dataclass(frozen=True)
class Batch:
    """Patches to learn from.

    Attributes:
        patches: `[n, frames, bands]`, dB.
        classes: `[n]`, the machine and condition that is louder or alone.
        partners: `[n]`, what is mixed in; equal to `classes` where nothing is.
        weights: `[n]`, share of `classes` in the mix, 1.0 where it is alone.
        clean: `[n, frames, bands]`, dB, the machines alone: before noise and blanking.
        background: `[n]`, where no machine is heard at all, whatever the classes say.
    """

    patches: torch.Tensor
    classes: torch.Tensor
    partners: torch.Tensor
    weights: torch.Tensor
    clean: torch.Tensor
    background: torch.Tensor


def augment(
    patches: torch.Tensor,
    classes: torch.Tensor,
    noise: torch.Tensor,
    generator: torch.Generator,
    settings: AugmentSettings,
) -> Batch:
    """Change patches the way sites do.

    Args:
        patches: `[n, frames, bands]`, dB.
        classes: `[n]`.
        noise: Background patches, as many and as large.
        generator: On the CPU.
        settings: How strongly.
    """
    count, frames, bands = patches.shape
    draw = _Draw(generator, patches.device, count)
    power = _power(_relative(patches) + _eq_curves(draw, bands, settings.eq_db))
    power = power / power.mean((1, 2), keepdim=True)
    # mixup in the power domain: two machines that run side by side
    order = draw.permutation()
    weights = torch.where(draw.uniform() < settings.mixup_chance, 0.5 + 0.5 * draw.uniform(), 1.0)
    power = weights[:, None, None] * power + (1.0 - weights)[:, None, None] * power[order]
    partners = torch.where(weights < 1.0, classes[order], classes)
    clean = 10.0 * torch.log10(power + 10.0 ** (-settings.floor_db / 10.0))
    # background at a random ratio, equalised by itself, then the floor of the microphone
    unwanted = _power(_relative(noise) + _eq_curves(draw, bands, 2.0 * settings.eq_db))
    unwanted = unwanted / unwanted.mean((1, 2), keepdim=True)
    low, high = settings.snr_db
    ratio = _power(-(low + (high - low) * draw.uniform())) * (draw.uniform() < settings.noise_chance)
    background = draw.uniform() < settings.background_chance
    power = torch.where(background[:, None, None], unwanted, power + ratio[:, None, None] * unwanted)
    power += _power(settings.gain_db * draw.normal() - settings.floor_db)[:, None, None]
    changed = 10.0 * torch.log10(power)
    level = changed.mean((1, 2), keepdim=True)
    blank = _stripe(draw, bands, settings.mask_bands, settings.mask_chance)[:, None, :]
    blank = blank | _stripe(draw, frames, settings.mask_frames, settings.mask_chance)[:, :, None]
    return Batch(torch.where(blank, level, changed), classes, partners, weights, clean, background)


class _Draw:
    """Random numbers, one per patch, made on the CPU so that every device sees the same."""

    def __init__(self, generator: torch.Generator, device: torch.device, count: int) -> None:
        self._generator, self._device, self._count = generator, device, count

    def uniform(self) -> torch.Tensor:
        return torch.rand(self._count, generator=self._generator).to(self._device)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(self._count, *shape, generator=self._generator).to(self._device)

    def permutation(self) -> torch.Tensor:
        return torch.randperm(self._count, generator=self._generator).to(self._device)


def _power(decibels: torch.Tensor) -> torch.Tensor:
    return torch.exp(decibels * _TO_NEPER)


def _relative(patches: torch.Tensor) -> torch.Tensor:
    """Patches against their own maximum, so that no power overflows."""
    return patches - patches.amax((1, 2), keepdim=True)


def _eq_curves(draw: _Draw, bands: int, eq_db: float) -> torch.Tensor:
    """Smooth random curves `[n, 1, bands]`: four cosines, weaker the faster they turn."""
    orders = torch.arange(1, 5)
    places = (torch.arange(bands) + 0.5) / bands
    cosines = torch.cos(math.pi * orders[:, None] * places) / orders[:, None]
    strength = eq_db * draw.normal(4)
    return (strength @ cosines.to(strength.device))[:, None, :]


def _stripe(draw: _Draw, size: int, widest: int, chance: float) -> torch.Tensor:
    """One blanked run per patch, `[n, size]` of flags."""
    width = draw.uniform() * widest * (draw.uniform() < chance)
    start = draw.uniform() * (size - width)
    grid = torch.arange(size, device=width.device)
    return (grid >= start[:, None]) & (grid < (start + width)[:, None])
