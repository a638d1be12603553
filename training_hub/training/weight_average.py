"""A running mean of the weights: what is tested and exported, steadier than any single step's."""

import torch


def average_weights(mean: torch.nn.Module, current: torch.nn.Module, step: int, decay: float) -> None:
    """Move `mean` towards `current`, in place, buffers included.

    The decay begins low, so that the first, random weights are soon forgotten: exponential averaging after B. Polyak
    and A. Juditsky (1992), with the warm-up of TensorFlow's `ExponentialMovingAverage`.

    Args:
        mean: The running mean, of the same build as `current`.
        current: The module that is trained.
        step: Steps done before this one.
        decay: Of the mean, once it is warm.
    """
    kept = min(decay, (1.0 + step) / (10.0 + step))
    with torch.no_grad():
        values = current.state_dict()
        for name, value in mean.state_dict().items():
            if value.is_floating_point():
                value.lerp_(values[name], 1.0 - kept)
            else:
                value.copy_(values[name])
