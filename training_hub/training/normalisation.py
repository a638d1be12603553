"""How patches are scaled before the encoder: measured once per run, written into the manifest."""

import numpy as np
import torch

from edge_agent.inference.encoder import standardise
from edge_agent.inference.manifest import InputSpec

# In units of the standard deviation. Fixes the int8 input's step (2 * 5 / 255 of some 9 dB: 0.35 dB); fewer than one
# value in a thousand lies beyond.
CLIP = 5.0


def measure_input(patches: torch.Tensor) -> InputSpec:
    """Mean per band and one common deviation of level-removed patches.

    Args:
        patches: `[n, frames, bands]`, dB, augmented as in training.
    """
    values = patches.cpu().numpy()
    relative = standardise(values, InputSpec(layout="patch", frames=values.shape[1], remove_level=True))
    mean_db = relative.mean(axis=(0, 1), dtype=np.float64)
    return InputSpec(
        layout="patch",
        frames=values.shape[1],
        remove_level=True,
        mean_db=tuple(round(float(band), 3) for band in mean_db),
        std_db=round(float(np.std(relative - mean_db.astype(np.float32), dtype=np.float64)), 3),
        clip=CLIP,
    )


def standardised(patches: torch.Tensor, spec: InputSpec) -> torch.Tensor:
    """The agent's own `standardise`, on a tensor."""
    return torch.from_numpy(standardise(patches.cpu().numpy(), spec)).to(patches.device)
