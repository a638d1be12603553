"""The inputs that int8 ranges are chosen by, as a file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.arrays import read_npz
from training_hub.training.bundle_writer import write_npz
from training_hub.training.errors import TrainingError

REPRESENTATIVE = "representative.npz"


def write_representative(directory: Path, inputs: NDArray[np.float32]) -> None:
    """Keep inputs in half precision: far finer than an int8 step."""
    write_npz(directory / REPRESENTATIVE, {"inputs": inputs.astype(np.float16)})


def read_representative(path: Path) -> NDArray[np.float32]:
    """The array `inputs` of a file, `[n, ...]`.

    Raises:
        TrainingError: No such file or no such array.
        BundleError: No sound `.npz`.
    """
    try:
        arrays = read_npz(path.read_bytes(), name=str(path))
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; give an .npz with an array `inputs`") from error
    if "inputs" not in arrays or arrays["inputs"].dtype.kind not in "fiu":
        raise TrainingError(f"{path}: has no array of numbers called `inputs`, but {', '.join(arrays)}")
    return arrays["inputs"].astype(np.float32)
