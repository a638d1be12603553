"""The state of a run as one `.npz`: plain arrays, never a pickle."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training_hub.training.errors import TrainingError

CHECKPOINT = "checkpoint.npz"


def save_checkpoint(
    directory: Path, module: torch.nn.Module, optimiser: torch.optim.Optimizer, progress: Mapping[str, float]
) -> None:
    """Write weights, the optimiser's state and the numbers in `progress`; atomic, a kill leaves the older file.

    Args:
        directory: Of the run.
        module: All that is trained, in one module.
        optimiser: An Adam or AdamW over `module.parameters()`, in their order.
        progress: Steps and the like.
    """
    arrays: dict[str, NDArray[Any]] = {
        f"w/{name}": tensor.cpu().numpy() for name, tensor in module.state_dict().items()
    }
    for index, state in optimiser.state_dict()["state"].items():
        for name, tensor in state.items():
            arrays[f"o/{index}/{name}"] = tensor.cpu().numpy()
    for name, value in progress.items():
        arrays[f"p/{name}"] = np.array(value, np.float64)
    temporary = directory / f".{CHECKPOINT}.{os.getpid()}"
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, directory / CHECKPOINT)


def load_checkpoint(
    directory: Path, module: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> dict[str, float] | None:
    """Restore what `save_checkpoint` wrote.

    Returns:
        Its `progress`, or None where there is no checkpoint yet.

    Raises:
        TrainingError: The file is damaged or of another net.
    """
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            stored = {name: arrays[name] for name in arrays.files}
        module.load_state_dict({name[2:]: torch.from_numpy(a) for name, a in stored.items() if name.startswith("w/")})
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, array in stored.items():
            if name.startswith("o/"):
                _, index, key = name.split("/")
                states.setdefault(int(index), {})[key] = torch.from_numpy(array)
        optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path}: {error}; remove it to start again") from error
    return {name[2:]: float(value) for name, value in stored.items() if name.startswith("p/")}
