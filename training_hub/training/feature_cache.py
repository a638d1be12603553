"""Features computed once, by the agent's own code, and kept on disk as half precision."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.logmel import log_mel_db
from edge_agent.signal.settings import SignalSettings


class FeatureCache:
    """A directory of `.npy` files, each named after what it was computed from and with which signal settings.

    Args:
        directory: Created where it does not exist; may be deleted at any time.
        settings: The signal contract.
    """

    def __init__(self, directory: Path, settings: SignalSettings | None = None) -> None:
        self.settings = settings or SignalSettings()
        self.directory = directory / self.settings.hash[:16]
        self.directory.mkdir(parents=True, exist_ok=True)
        self.hits = 0
        self.misses = 0

    def log_mel(self, key: str, samples: Callable[[], NDArray[np.float32]]) -> NDArray[np.float16]:
        """Features of a recording.

        Args:
            key: Everything the samples depend on, as text.
            samples: Makes the samples `[n]` at the contract's rate; called only if the cache has not seen `key`.

        Returns:
            float16 `[frames, bands]`.
        """
        path = self.directory / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.npy"
        if path.exists():
            self.hits += 1
            cached: NDArray[np.float16] = np.load(path, allow_pickle=False)
            return cached
        self.misses += 1
        features = log_mel_db(samples(), self.settings).astype(np.float16)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.save(file, features, allow_pickle=False)
        os.replace(temporary, path)
        return features
